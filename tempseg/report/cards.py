"""Moments as cards: pictures before, at, and what changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tempseg.report.markup import Markup, element
from tempseg.report.pictures import Moment
from tempseg.report.views import RunView, clock_time

__all__ = ["MomentCard", "moment_cards"]


@dataclass(frozen=True, slots=True)
class MomentCard:
    """A moment as one or several runs show it.

    Parameters
    ----------
    time_s : float
        Where a click leads.
    told : str
        What makes it stand out.
    shown : tuple of (RunView, Moment)
    """

    time_s: float
    told: str
    shown: tuple[tuple[RunView, Moment], ...]


def moment_cards(cards: Iterable[MomentCard]) -> Markup:
    """Return a card a moment: the labels before, at, and what changed, a row a run."""
    return element("div", *(_card(card) for card in cards), class_="moments")


def _card(card: MomentCard) -> Markup:
    one = len(card.shown) == 1
    view, moment = card.shown[0]
    frames = view.run.frames
    where = f" frame {frames.index[moment.place]}, {frames.origins[moment.place]}" if one else ""
    return element(
        "button",
        element(
            "span",
            element("b", clock_time(card.time_s)),
            where,
            element("em", card.told),
            class_="when",
        ),
        *(_pictures(v, shown, title=None if one else v.title) for v, shown in card.shown),
        type="button",
        class_="moment",
        data_seek=f"{card.time_s:.6f}",
        title="Show this moment in the video",
    )


def _pictures(view: RunView, moment: Moment, *, title: str | None) -> Markup:
    before = view.run.frames.index[moment.place - 1]
    shown = [
        (moment.before, f"before, {before}"),
        (moment.at, f"at {view.run.frames.index[moment.place]}"),
        (moment.changed, "changed"),
    ]
    changes = ", ".join(f"{c.before} → {c.after} {c.share:.1%}" for c in moment.changes)
    return element(
        "span",
        None if title is None else element("span", title, class_="run-name"),
        element(
            "span",
            *(
                element(
                    "span",
                    element("img", src=uri, alt=name),
                    element("small", name),
                )
                for uri, name in shown
            ),
            class_="three",
        ),
        element("small", changes or "no label changes", class_="changes"),
    )
