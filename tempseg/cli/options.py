"""Options that several commands take, written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["ConfigFile", "Debug", "End", "Model", "Settings", "Start"]

Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="A model's file or folder, a name out of `models list`, or masks:FOLDER.",
    ),
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="A TOML file; see configs/.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One config key; may be repeated."),
]
Start = Annotated[str | None, typer.Option("--start", metavar="T", help="Seconds or timecode.")]
End = Annotated[
    str | None, typer.Option("--end", metavar="T", help="Seconds or timecode; exclusive.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
"""Read by `main`, which sees every error."""
