"""The course of training: a table that grows, and a picture of it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["COLUMNS", "append_row", "drawn_curves", "read_rows"]

COLUMNS = ("stage", "step", "minutes", "rate", "loss", "held_out_miou", "rendered_miou")

_WIDTH, _HEIGHT, _PANEL, _LEFT, _TOP = 860, 330, 340, 56, 44
_COLOURS = {"loss": "#777777", "held_out_miou": "#1f6fb4", "rendered_miou": "#d8802a"}
_WORDS = {
    "loss": "loss",
    "held_out_miou": "CamVid, end of each drive",
    "rendered_miou": "rendered, other seeds",
}

Row = Mapping[str, str]


def append_row(path: Path, row: Row) -> None:
    """Add a row to the table, with its header where the table is new."""
    is_new = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def drawn_curves(rows: Sequence[Row]) -> str:
    """Return an SVG of the loss, and of the mean intersection over union, by step."""
    last = max(int(row["step"]) for row in rows)
    top = max(float(row["loss"]) for row in rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="12" fill="#333">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        *_panel(rows, 0, ("loss",), last, _rounded_up(top), "loss"),
        *_panel(rows, 1, ("held_out_miou", "rendered_miou"), last, 100.0, "mIoU in %"),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _panel(
    rows: Sequence[Row], place: int, names: Sequence[str], last: int, top: float, title: str
) -> list[str]:
    left = _LEFT + place * (_PANEL + 72)
    bottom = _HEIGHT - 40
    height = bottom - _TOP

    def at(step: float, value: float) -> tuple[float, float]:
        return left + _PANEL * step / last, bottom - height * min(value, top) / top

    parts = [f'<text x="{left}" y="18" font-weight="bold">{title}</text>']
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = bottom - height * share
        parts.append(f'<path d="M{left} {y:.1f}h{_PANEL}" stroke="#ddd"/>')
        parts.append(
            f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{top * share:g}</text>'
        )
        x, _ = at(last * share, 0)
        parts.append(
            f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{round(last * share)}</text>'
        )
    parts.append(
        f'<text x="{left + _PANEL / 2}" y="{bottom + 34}" text-anchor="middle">step</text>'
    )
    change = _last_stage_begins(rows)
    if change is not None:
        x, _ = at(change, 0)
        parts.append(f'<path d="M{x:.1f} {_TOP}V{bottom}" stroke="#999" stroke-dasharray="4 3"/>')
    for index, name in enumerate(names):
        known = [row for row in rows if row[name]]
        points = [at(int(row["step"]), float(row[name])) for row in known]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        colour = _COLOURS[name]
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        x = left + index * 232
        parts.append(f'<path d="M{x} 33h14" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{x + 18}" y="37">{_WORDS[name]}</text>')
    return parts


def _last_stage_begins(rows: Sequence[Row]) -> int | None:
    before = [int(row["step"]) for row in rows if row["stage"] != rows[-1]["stage"]]
    return max(before) if before else None


def _rounded_up(value: float) -> float:
    # Quarters of it are round too.
    return round(0.4 * -(-value // 0.4), 1)
