"""The pictures of docs/how-it-works.md: scripts/how_it_works_pictures.py [NAME...].

A rendered street goes through the engine; what it computes on the way is looked at where it
passes by (see how_it_works_look.py). Nothing of the method is written here a second time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from how_it_works_look import (
    AFTER,
    BEFORE,
    EVERY_TENTH,
    NOW,
    SEED,
    Exact,
    Flickering,
    pushed,
    rendered,
    seen,
    street,
    watched,
)
from how_it_works_sheets import (
    BACK,
    GAP,
    INK,
    PALE,
    PANEL_PX,
    Panel,
    curve_chart,
    save,
    stacked,
    text_px,
    write,
)

from tempseg import carrier
from tempseg.config import load_config
from tempseg.kernels import match, shares
from tempseg.propagate import BlendSettings, blend
from tempseg.proposals import Proposal, confidence
from tempseg.proposals import judged as with_misfit
from tempseg.refine import matching
from tempseg.synthetic import STREET_CLASSES, street_scene
from tempseg.types import VOID_8, FrameResult, Origin

TARGET = Path(__file__).resolve().parents[1] / "assets" / "how-it-works"
CROP = slice(255, 495), slice(640, 960)
"""Where a car drives into the picture, in front of somebody on the pavement."""

COLOURS = np.zeros((256, 3), np.uint8)
COLOURS[: len(STREET_CLASSES.colours)] = STREET_CLASSES.colours
PEDESTRIAN = STREET_CLASSES.names.index("Pedestrian")
WRONG, UNEXPLAINED = (226, 0, 122), (225, 120, 30)
SHOWN_CELLS, CELL_PX = 10, 18
REASONS = {
    "first": (40, 90, 170),
    "interval": (40, 90, 170),
    "drift": (225, 120, 30),
    "scene_cut": (200, 45, 55),
}


def span() -> np.ndarray:
    """Draw two keyframes and a frame between."""
    row = []
    for index, title in (
        (BEFORE, f"frame {BEFORE}: keyframe"),
        (NOW, f"frame {NOW}: carried from both sides"),
        (AFTER, f"frame {AFTER}: keyframe"),
    ):
        labels = seen().labels if index == NOW else truth(index)
        image = tinted(rendered(street(), index).image, labels)
        rows, columns = CROP
        corner = columns.stop - 2, rows.stop - 2
        cv2.rectangle(image, (columns.start, rows.start), corner, (255, 255, 255), 4)
        row.append(Panel(image, title))
    notes = ("the network runs", "white: the cut-out shown below", "it runs again")
    return stacked([p._replace(note=note) for p, note in zip(row, notes, strict=True)])


def two_sides() -> np.ndarray:
    """Draw what each keyframe says of the frame, and how much it is believed."""
    now, settings = seen(), BlendSettings()
    alone = [
        blend([p], [p.anchor.index - NOW], now.luma, truth().shape, settings) for p in now.proposals
    ]
    top = [Panel(cut(rendered(street(), NOW).image), f"frame {NOW}", "the picture")]
    low = [Panel(cut(tinted(rendered(street(), NOW).image, truth())), "the exact truth", "")]
    most = max(float(weight.max()) for weight in now.weights)
    for side, labels, weights, proposal in zip(
        ("before", "after"), alone, now.weights, now.proposals, strict=True
    ):
        title = f"keyframe {proposal.anchor.index}, carried"
        top.append(Panel(cut(judged(labels)), title, percent(labels)))
        scaled = np.where(weights < 0, -1, weights / most)
        low.append(Panel(cut(heat(scaled)), f"weight of the keyframe {side}"))
    notes = ("", *2 * ("bright: believed; gray: both agree",))
    low = [p._replace(note=note) for p, note in zip(low, notes, strict=True)]
    return stacked(top, low)


def matched() -> np.ndarray:
    """Draw the way from the blend to the labels."""
    now = seen()
    place = np.zeros(now.luma.shape, np.uint8)
    place.ravel()[now.band] = 1
    image = rendered(street(), NOW).image
    band = np.where(enlarged(place)[..., np.newaxis] > 0, image, faint(image))
    blended = enlarged(now.blended[:, 0].astype(np.uint8))
    share = f"{place.mean():.0%} of the frame is looked at again"
    panels = [
        Panel(judged(blended), "1  blended on the grid", percent(blended)),
        Panel(band, "2  the band in doubt", share),
        Panel(judged(now.brought_up), "3  patches voted, on the grid", percent(now.brought_up)),
        Panel(judged(now.voted), "4  patches voted, in the frame", percent(now.voted)),
        Panel(judged(now.labels), "5  neighbours voted: the result", percent(now.labels)),
        Panel(tinted(image, truth()), "the exact truth"),
    ]
    panels = [panel._replace(image=cut(panel.image)) for panel in panels]
    return stacked(panels[:3], panels[3:])


def window() -> np.ndarray:
    """Draw how one cell of the grid finds its label."""
    now = seen()
    exact = np.empty_like(now.blended)
    shares.shrink(truth(), exact)
    places, found, votes, counts = now.ballot
    rows, columns = np.divmod(places, now.luma.shape[1])
    mended = exact[rows, 0, columns] == PEDESTRIAN
    mended &= now.blended[rows, 0, columns] != PEDESTRIAN
    mended &= columns * street().width > CROP[1].start * now.luma.shape[1]
    # Of the cells that the look at colours put right, the one with most votes.
    cast = np.where(np.arange(votes.shape[1]) < counts[:, np.newaxis], votes, 0).sum(axis=1)
    n = int(np.argmax(np.where(mended, cast, 0)))
    y, x = int(rows[n]) + shares.MARGIN, int(columns[n]) + shares.MARGIN
    top = [
        Panel(
            around(now.pixels.colours(), y, x, box=1), f"frame {NOW}", "white: the patch in doubt"
        )
    ]
    low = [Panel(ballot_chart(found[n], votes[n], int(counts[n])), "the votes of all")]
    for proposal, reference in zip(now.proposals, now.references, strict=True):
        dx, dy = proposal.motion.flow[y - shares.MARGIN, x - shares.MARGIN]
        at = int(np.floor(y + dy + 0.5)), int(np.floor(x + dx + 0.5))
        assert proposal.anchor.pixels is not None
        image = around(proposal.anchor.pixels.colours(), *at, box=match.GRID_REACH)
        top.append(Panel(image, f"keyframe {proposal.anchor.index}", "white: where it is searched"))
        image = alike(now.pixels.grid, reference, (y, x), at)
        low.append(Panel(image, "what looks alike, and its label", "the stronger, the more alike"))
    return stacked(top, low)


def scored() -> np.ndarray:
    """Draw class scores of a made-up network, blended, and keyframes that do not blink."""
    frames = range(BEFORE, BEFORE + 41)
    at = BEFORE + 16
    kept: dict[int, tuple] = {}

    def keep(proposals: Sequence[Proposal], *arguments: object) -> None:
        kept[proposals[0].motion.target_index] = proposals, *arguments

    model = Flickering(street())
    with watched(carrier, "blend", keep):
        results = pushed(model, street(), frames, **EVERY_TENTH)
    rough = pushed(model, street(), frames, **EVERY_TENTH, refine__smoothing=0.0)
    every = pushed(model, street(), frames, keyframe__policy="interval", keyframe__interval=1)
    proposals, _, *rest = kept[at]
    nearest = sorted(proposals, key=lambda p: abs(p.anchor.index - at))[:1]
    panels = []
    for title, labels in (
        ("the network on this frame", every[at - BEFORE].segmentation.labels),
        (
            f"keyframe {nearest[0].anchor.index} alone, carried",
            blend(nearest, [1.0], *rest),
        ),
        (f"{len(proposals)} keyframes blended", results[at - BEFORE].segmentation.labels),
    ):
        share = wrong(labels, at).mean()
        panels.append(
            Panel(judged(labels, at)[40:, 250:750], title, f"{share:.1%} of the frame wrong")
        )
    curves = [
        [float(wrong(r.segmentation.labels, r.frame.index).mean()) for r in run]
        for run in (every, rough, results)
    ]
    names = (
        "network on every frame",
        "every 10th, answers left as they are",
        "every 10th, blended at keyframes too",
    )
    chart = curve_chart(
        curves, names, {i - BEFORE: str(i) for i in frames if (i - BEFORE) % 10 == 0}
    )
    return np.vstack([stacked(panels), chart])


def evidence() -> np.ndarray:
    """Draw what keyframes do not explain, and what the policy makes of it."""
    now = seen()
    image = rendered(street(), NOW).image
    panels = []
    for proposals, title in (
        (now.proposals[:1], f"not explained by keyframe {BEFORE}"),
        (now.proposals[1:], f"not explained by keyframe {AFTER}"),
        (now.proposals, "explained by neither keyframe"),
    ):
        unknown = (
            enlarged(
                (
                    confidence(with_misfit(proposals, now.luma, BlendSettings().residual_blur_px))
                    == 0
                ).astype(np.uint8)
            )
            > 0
        )
        shown = faint(image)
        shown[unknown] = UNEXPLAINED
        note = f"{unknown.mean():.1%} of frame {NOW}"
        if len(proposals) > 1:
            bad = wrong(now.labels)
            shown[bad & unknown] = WRONG
            note = f"{bad[unknown].mean():.0%} wrong there, elsewhere {bad[~unknown].mean():.1%}"
        panels.append(Panel(shown, title, note))
    scene = street_scene(seed=SEED)
    results = pushed(Exact(scene), scene, range(len(scene)))
    return np.vstack([stacked(panels), timeline(results)])


def timeline(results: Sequence[FrameResult]) -> np.ndarray:
    """Return drift, scene change and keyframes over a film."""
    width, left = 3 * (PANEL_PX + GAP) + GAP, GAP + 60
    step = (width - GAP - left) / len(results)
    config = load_config().keyframe
    chart = np.full((330, width, 3), BACK, np.uint8)
    for name, most, limit, bottom in (
        ("drift", 0.3, config.drift_threshold, 160),
        ("scene change", 1.0, config.scene_threshold, 290),
    ):
        top = bottom - 100
        for result in results:
            if result.reason is not None:
                x = round(left + (result.frame.index + 0.5) * step)
                cv2.line(chart, (x, top), (x, bottom), REASONS[result.reason.value], 2)
        level = round(bottom - limit / most * 100)
        for x in range(left, width - GAP, 14):
            cv2.line(chart, (x, level), (x + 6, level), PALE, 1)
        write(chart, f"{limit:g}", (GAP, level + 6), size=17, ink=PALE)
        write(chart, "0", (GAP, bottom + 4), size=17, ink=PALE)
        values = [
            getattr(r.evidence, name.replace(" ", "_")) if r.evidence else 0.0 for r in results
        ]
        points = [
            (round(left + (i + 0.5) * step), round(bottom - min(value / most, 1) * 100))
            for i, value in enumerate(values)
        ]
        cv2.polylines(chart, [np.array(points)], False, INK, 2, cv2.LINE_AA)
        write(chart, name, (left, top - 8), size=19, weight=600)
    keys = sum(r.origin is Origin.SEGMENTED for r in results)
    text = f"{keys} of {len(results)} frames are keyframes, because of"
    write(chart, text, (left + 200, 28), size=19)
    at = left + 200 + text_px(text, 19) + 20
    for name in ("interval", "drift", "scene cut"):
        cv2.rectangle(chart, (at, 14), (at + 14, 28), REASONS[name.replace(" ", "_")], -1)
        write(chart, name, (at + 22, 28), size=19)
        at += 50 + text_px(name, 19)
    return chart


def alike(
    colours: np.ndarray,
    reference: matching.Reference,
    target: tuple[int, int],
    source: tuple[int, int],
) -> np.ndarray:
    """Return the searched cells in their labels' colours, as strong as their votes."""
    reach, lanes = match.GRID_REACH, match.GRID_LANES
    side = 2 * reach + 1
    votes = np.empty(side * lanes, np.float32)
    match._weigh_matches(
        colours,
        reference.colours,
        target[1],
        target[0],
        source[1] - reach,
        source[0] - reach,
        np.float32(matching._PATCH_SCALE),
        matching._falloff(reach, lanes, matching.GRID_SIGMA).ravel(),
        votes,
    )
    strength = votes.reshape(side, lanes)[:, :side, np.newaxis]
    down, right = (slice(at - reach, at + reach + 1) for at in source)
    names = reference.answer[down, 0, right].astype(np.uint8)
    inner = 242 + (COLOURS[names].astype(np.float32) - 242) * np.clip(strength, 0, 1) ** 0.5
    rim = SHOWN_CELLS - reach
    cells = np.pad(inner, ((rim, rim), (rim, rim), (0, 0)), constant_values=228)
    return framed(cells.astype(np.uint8), reach)


def around(colours: np.ndarray, y: int, x: int, *, box: int) -> np.ndarray:
    """Return a piece of the grid's colours as RGB, the cells up to `box` away framed."""
    view = SHOWN_CELLS
    tile = colours[y - view : y + view + 1, :, x - view : x + view + 1].transpose(0, 2, 1)
    # OpenCV orders them y, v, u.
    image = cv2.cvtColor(np.ascontiguousarray(tile[..., [0, 2, 1]], np.uint8), cv2.COLOR_YCrCb2RGB)
    return framed(image, box)


def framed(cells: np.ndarray, box: int) -> np.ndarray:
    out = np.repeat(np.repeat(cells, CELL_PX, axis=0), CELL_PX, axis=1)
    low = (cells.shape[0] // 2 - box) * CELL_PX
    high = (cells.shape[0] // 2 + box + 1) * CELL_PX
    cv2.rectangle(out, (low, low), (high, high), (255, 255, 255), 3)
    return out


def ballot_chart(labels: np.ndarray, votes: np.ndarray, count: int) -> np.ndarray:
    """Return bars of the votes for each label."""
    side = (2 * SHOWN_CELLS + 1) * CELL_PX
    chart = np.full((side, side, 3), 255, np.uint8)
    order = np.argsort(-votes[:count])[:4]
    for place, which in enumerate(order):
        label, share = int(labels[which]), float(votes[which] / votes[:count].sum())
        top = 28 + place * 84
        write(chart, f"{STREET_CLASSES.names[label]}  {share:.0%}", (16, top + 20), size=21)
        end = 16 + max(2, round((side - 32) * share)), top + 56
        colour = STREET_CLASSES.colours[label]
        cv2.rectangle(chart, (16, top + 32), end, colour, -1)
    return chart


def truth(index: int = NOW) -> np.ndarray:
    return rendered(street(), index).labels


def wrong(labels: np.ndarray, index: int = NOW) -> np.ndarray:
    return (labels != truth(index)) & (truth(index) != VOID_8)


def percent(labels: np.ndarray, index: int = NOW) -> str:
    share = wrong(labels, index)[CROP].mean()
    return f"{share:.1%} of this cut-out wrong"


def tinted(image: np.ndarray, labels: np.ndarray, opacity: float = 0.5) -> np.ndarray:
    """Return a picture under its classes' colours, their borders drawn."""
    out = image * (1 - opacity) + COLOURS[labels] * opacity
    edge = np.zeros(labels.shape, np.bool_)
    edge[1:] |= labels[1:] != labels[:-1]
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    out[edge] = out[edge] * 0.35 + 160
    return out.astype(np.uint8)


def judged(labels: np.ndarray, index: int = NOW) -> np.ndarray:
    """Return a frame under labels, wrong pixels marked."""
    out = tinted(rendered(street(), index).image, labels)
    out[wrong(labels, index)] = WRONG
    return out


def cut(image: np.ndarray) -> np.ndarray:
    return image[CROP]


def faint(image: np.ndarray) -> np.ndarray:
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., np.newaxis]
    return np.repeat(gray * 0.25 + 175, 3, axis=2).astype(np.uint8)


def heat(values: np.ndarray) -> np.ndarray:
    """Return colours of values in [0, 1]; gray below 0, at the frame's size."""
    scaled = np.clip(values * 255, 0, 255).astype(np.uint8)
    small = cv2.applyColorMap(scaled, cv2.COLORMAP_VIRIDIS)[..., ::-1].copy()
    colours = enlarged(small)
    image = faint(rendered(street(), NOW).image)
    return np.where(enlarged((values < 0).astype(np.uint8))[..., np.newaxis] > 0, image, colours)


def enlarged(small: np.ndarray) -> np.ndarray:
    size = street().width, street().height
    return cv2.resize(small, size, interpolation=cv2.INTER_NEAREST)


PICTURES: Mapping[str, Callable[[], np.ndarray]] = {
    "span.jpg": span,
    "two-sides.jpg": two_sides,
    "matching.jpg": matched,
    "window.png": window,
    "scores.jpg": scored,
    "evidence.jpg": evidence,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or PICTURES:
        save(TARGET / name, PICTURES[name]())
