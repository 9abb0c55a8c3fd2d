"""Markup that cannot be broken by the text inside it."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable

__all__ = ["Markup", "element", "for_plotly", "join", "script_json"]

_VOID = frozenset({"br", "img", "meta", "source"})


class Markup(str):
    """Text that is HTML already; every other string is escaped where it meets one."""

    __slots__ = ()


def element(name: str, *children: str | None, **attributes: str | bool | None) -> Markup:
    """Return an HTML element.

    Parameters
    ----------
    name : str
        The tag.
    *children : str or None
        Strings are escaped unless they are `Markup`; none is left out.
    **attributes : str, bool or None
        `class_` becomes `class` and `data_x` `data-x`; true is a bare attribute, none and false
        leave it out.

    Examples
    --------
    >>> element("p", "1 < 2", class_="note")
    '<p class="note">1 &lt; 2</p>'
    """
    opened = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        plain = key.rstrip("_").replace("_", "-")
        opened.append(plain if value is True else f'{plain}="{html.escape(str(value))}"')
    start = f"<{' '.join(opened)}>"
    if name in _VOID:
        return Markup(start)
    return Markup(f"{start}{join(children)}</{name}>")


def join(parts: Iterable[str | None]) -> Markup:
    """Return the parts one after the other, escaped unless they are `Markup`."""
    given = (part for part in parts if part is not None)
    return Markup("".join(p if isinstance(p, Markup) else html.escape(p) for p in given))


def script_json(value: object) -> Markup:
    r"""Return a value as JSON that may stand inside a script element.

    Examples
    --------
    >>> print(script_json({"name": "</script>"}))
    {"name":"\u003c/script>"}
    """
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    # Neither an end tag nor a comment can begin without it.
    return Markup(text.replace("<", "\\u003c"))


def for_plotly(text: str) -> str:
    """Return text that plotly, which reads a few tags in labels, shows as it stands."""
    return html.escape(text, quote=False)
