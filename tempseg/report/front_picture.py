"""The trade-off drawn: what each config costs against how good it is, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempseg.report.markup import Markup, element, join
from tempseg.tuning.pareto import front as pareto

if TYPE_CHECKING:
    from tempseg.tuning import Tuning
    from tempseg.tuning.search import Measured

__all__ = ["front_panels", "front_svg"]

WIDTH, HEIGHT = 440, 330
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 34, 40

_STYLE = """
.pf text { font: 12px system-ui, sans-serif; fill: var(--muted); }
.pf .name { fill: var(--ink); font-weight: 600; }
.pf .grid { stroke: var(--grid); }
.pf .axis { stroke: var(--line); }
.pf .dot { fill: var(--quiet); fill-opacity: .6; }
.pf .interval { fill: none; stroke: var(--limit); stroke-width: 1.6; }
.pf circle.interval { fill: var(--limit); stroke: none; }
.pf .front { fill: none; stroke: var(--accent); stroke-width: 2; }
.pf circle.front { fill: var(--accent); stroke: none; }
.pf .floor { stroke: var(--ink); stroke-dasharray: 5 4; }
.pf .chosen { fill: none; stroke: var(--playhead); stroke-width: 2.5; }
.pf text.chosen { fill: var(--playhead); font-weight: 600; }
.pf text.interval { fill: var(--limit); }
.pf text.front { fill: var(--accent); }
.pf text[class] { stroke: var(--page); stroke-width: 4; paint-order: stroke; }
"""

_LIGHT = (
    "--page:#fcfcfb;--ink:#1b1d20;--muted:#5c6168;--line:#c9cbca;--grid:#e7e8e5;"
    "--accent:#0b62a8;--quiet:#8a9199;--limit:#b3470f;--playhead:#d3165c"
)
_DARK = (
    "--page:#141618;--ink:#e9ebed;--muted:#a2a8af;--line:#4a5056;--grid:#272b2f;"
    "--accent:#6cb6f2;--quiet:#7e868e;--limit:#f0935a;--playhead:#ff5c93"
)


@dataclass(frozen=True, slots=True)
class _Axis:
    """A range of values and where it lies in the picture."""

    low: float
    high: float
    begins: float
    ends: float
    log: bool = False

    def at(self, value: float) -> float:
        """Return where a value lies."""
        low, high, own = self.low, self.high, value
        if self.log:
            low, high, own = math.log(low), math.log(high), math.log(max(value, 1e-9))
        share = (own - low) / (high - low) if high > low else 0.5
        return round(self.begins + share * (self.ends - self.begins), 1)


def front_svg(tuning: Tuning) -> str:
    """Return a picture that stands alone: cost by share of keyframes, and by time."""
    width = 2 * WIDTH
    root = f":root{{{_LIGHT}}} @media (prefers-color-scheme: dark) {{:root{{{_DARK}}}}}"
    panels = [
        element("g", *panel, transform=f"translate({place * WIDTH} 0)")
        for place, panel in enumerate(_panels(tuning))
    ]
    return (
        element(
            "svg",
            element("style", Markup(root + _STYLE)),
            element("rect", width=str(width), height=str(HEIGHT), style="fill:var(--page)"),
            *panels,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {width} {HEIGHT}",
            width=str(width),
            height=str(HEIGHT),
            class_="pf",
            role="img",
            aria_label=_label(tuning),
        )
        + "\n"
    )


def front_panels(tuning: Tuning) -> Markup:
    """Return the same for a page, one below the other where it is narrow."""
    drawn = [
        element(
            "svg",
            *panel,
            viewBox=f"0 0 {WIDTH} {HEIGHT}",
            class_="pf",
            role="img",
            aria_label=_label(tuning),
            style="width:100%;height:auto;max-width:560px",
        )
        for panel in _panels(tuning)
    ]
    grid = "display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,340px),1fr));gap:8px"
    return join([element("style", Markup(_STYLE)), element("div", *drawn, style=grid)])


def _label(tuning: Tuning) -> str:
    return f"{len(tuning.measured)} configs: cost against {_worth(tuning)}; the table has all"


def _worth(tuning: Tuning) -> str:
    return "mIoU against truth" if tuning.by_truth else "fidelity between keyframes"


def _panels(tuning: Tuning) -> list[list[Markup]]:
    return [
        _panel(
            tuning,
            [(m, 100 * m.figures.share) for m in tuning.measured],
            tuning.front,
            axis="keyframes, % of frames",
            names=True,
        ),
        _panel(
            tuning,
            [(m, m.ms) for m in tuning.measured],
            tuning.fast_front,
            axis="predicted milliseconds a frame",
        ),
    ]


def _panel(
    tuning: Tuning,
    costs: Sequence[tuple[Measured, float]],
    front: Sequence[Measured],
    *,
    axis: str,
    names: bool = False,
) -> list[Markup]:
    truth = tuning.by_truth
    known = [
        (m, cost)
        for m, cost in costs
        if not math.isnan(m.quality(truth=truth)) and (truth or not _is_per_frame(m))
    ]
    xs = _axis([cost for _, cost in known], LEFT, WIDTH - RIGHT, log=True)
    levels = [m.quality(truth=truth) for m, _ in known]
    shows_floor = not truth and not math.isnan(tuning.floor)
    ys = _axis([*levels, *([tuning.floor] if shows_floor else [])], HEIGHT - BOTTOM, TOP, most=1.0)
    cost_of = {id(m): cost for m, cost in known}

    def place(m: Measured) -> tuple[float, float]:
        return xs.at(cost_of[id(m)]), ys.at(m.quality(truth=truth))

    parts = _frame(xs, ys, axis=axis, title=_worth(tuning))
    if shows_floor:
        y = ys.at(tuning.floor)
        parts.append(_line(LEFT, y, WIDTH - RIGHT, y, "floor"))
        told = f"floor {tuning.floor:.3f}"
        parts.append(_text(LEFT + 4, y - 5, told))
    parts += [
        element("circle", _told(m, tuning), cx=str(x), cy=str(y), r="3", class_="dot")
        for m, _ in known
        for x, y in [place(m)]
    ]
    interval = [m for m, _ in known if m.trial.keys.get("keyframe.policy") == "interval"]
    best = pareto([(cost_of[id(m)], m.quality(truth=truth)) for m in interval])
    drawn = [m for m in front if id(m) in cost_of]
    lines = {"interval": [interval[i] for i in best], "front": drawn}
    apart = bool(interval) and list(map(id, lines["interval"])) != list(map(id, drawn))
    for kind, ordered in lines.items():
        points = [place(m) for m in ordered]
        parts.append(
            element("polyline", points=" ".join(f"{x},{y}" for x, y in points), class_=kind)
        )
        parts += [
            element("circle", _told(m, tuning), cx=str(x), cy=str(y), r="3.5", class_=kind)
            for m, (x, y) in zip(ordered, points, strict=True)
        ]
    chosen = tuning.choice.measured
    if id(chosen) in cost_of:
        x, y = place(chosen)
        parts.append(
            element("circle", _told(chosen, tuning), cx=str(x), cy=str(y), r="8", class_="chosen")
        )
        # The trade-off rises to the right: below it there is room.
        told = chosen.trial.name
        begin = max(min(x + 8, WIDTH - RIGHT - 6.8 * len(told)), LEFT)
        low = min(y + 22, HEIGHT - BOTTOM - 6)
        parts.append(_text(begin, low, told, kind="chosen"))
    if names:
        end, low = WIDTH - RIGHT - 4, HEIGHT - BOTTOM
        if apart:
            told = "best of policy interval"
            parts.append(_text(end, low - 26, told, anchor="end", kind="interval"))
        parts.append(_text(end, low - 10, "best of all", anchor="end", kind="front"))
    return parts


def _is_per_frame(m: Measured) -> bool:
    """Return whether the model runs on every frame: of course it agrees with itself there."""
    return m.figures.keyframes == m.figures.frames


def _told(m: Measured, tuning: Tuning) -> Markup:
    """Return what a point tells under the mouse."""
    figures = m.figures
    told = (
        f"{m.trial.name}: {figures.share:.1%} keyframes, {m.fps:.0f} frames/s, "
        f"fidelity {figures.fidelity_between:.3f}, tc {figures.tc:.3f}"
    )
    return element("title", told + (f", mIoU {figures.miou:.3f}" if tuning.by_truth else ""))


def _axis(
    values: Sequence[float],
    begins: float,
    ends: float,
    *,
    log: bool = False,
    most: float = math.inf,
) -> _Axis:
    low, high = min(values, default=0.0), max(values, default=1.0)
    if log:
        return _Axis(max(low, 1e-3) / 1.12, max(high, 1e-3) * 1.12, begins, ends, log=True)
    pad = max(0.06 * (high - low), 0.005)
    return _Axis(low - pad, min(high + pad, most), begins, ends)


def _frame(xs: _Axis, ys: _Axis, *, axis: str, title: str) -> list[Markup]:
    parts = [_text(LEFT, TOP - 16, title, kind="name")]
    for value in _steps(ys.low, ys.high):
        y = ys.at(value)
        parts += [
            _line(LEFT, y, WIDTH - RIGHT, y, "grid"),
            _text(LEFT - 6, y + 4, f"{value:g}", anchor="end"),
        ]
    for value in _log_steps(xs.low, xs.high):
        x = xs.at(value)
        parts += [
            _line(x, TOP, x, HEIGHT - BOTTOM, "grid"),
            _text(x, HEIGHT - BOTTOM + 16, f"{value:g}", anchor="middle"),
        ]
    parts.append(_line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "axis"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, axis, anchor="middle", kind="name"))
    return parts


def _steps(low: float, high: float) -> list[float]:
    """Return round values, about five."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough)
    first = math.ceil(low / step)
    count = math.floor(high / step) - first
    return [round((first + i) * step, 10) for i in range(count + 1)]


def _log_steps(low: float, high: float) -> list[float]:
    """Return round values, closer where there is little between."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for marks in ((1, 2, 5), (1, 1.5, 2, 3, 5, 7), (1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 4, 5, 6, 8)):
        every = [round(m * 10.0**p, 10) for p in range(first, last + 1) for m in marks]
        found = [value for value in every if low <= value <= high]
        if len(found) > 3:
            break
    return found


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return element("line", x1=str(x1), y1=str(y1), x2=str(x2), y2=str(y2), class_=kind)


def _text(x: float, y: float, told: str, *, anchor: str = "start", kind: str = "") -> Markup:
    return element("text", told, x=f"{x:g}", y=f"{y:g}", text_anchor=anchor, class_=kind or None)
