"""How a run was made: its effective config, and the commands that make it again."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterable

from tempseg.config import Config
from tempseg.report.markup import Markup, element
from tempseg.report.records import RunRecord
from tempseg.report.tables import shown_value

__all__ = [
    "changed_keys",
    "command_list",
    "config_tables",
    "looking_commands",
    "making_commands",
    "report_command",
]


def changed_keys(run: RunRecord) -> dict[str, object]:
    """Return the keys of a run's config that are not at their defaults, by full key."""
    defaults = Config().model_dump(mode="json")
    return {
        f"{part}.{key}": value
        for part, keys in run.config.items()
        for key, value in keys.items()
        if key in defaults.get(part, {}) and defaults[part][key] != value
    }


def config_tables(run: RunRecord) -> Markup:
    """Return the effective config, what was changed marked with the default beside it."""
    defaults = Config().model_dump(mode="json")
    changed = changed_keys(run)
    tables = []
    for part, keys in run.config.items():
        rows = [
            element(
                "tr",
                element("th", key, scope="row"),
                element(
                    "td",
                    shown_value(value),
                    element("small", f" default {shown_value(defaults[part][key])}")
                    if f"{part}.{key}" in changed
                    else None,
                ),
                class_="changed" if f"{part}.{key}" in changed else None,
            )
            for key, value in keys.items()
        ]
        tables.append(element("table", element("caption", f"[{part}]"), element("tbody", *rows)))
    return element("div", *tables, class_="config")


def making_commands(run: RunRecord) -> list[tuple[str, str]]:
    """Return what each command is for, and the command: those that make a run like this."""
    commands = [("as the run was started", shlex.join(run.command))] if run.command else []
    return [*commands, ("the same run again, from its effective config", _again(run))]


def looking_commands(run: RunRecord) -> list[tuple[str, str]]:
    """Return what each command is for, and the command: those that look closer at the run."""
    folder = _path(str(run.folder))
    return [
        ("this page with temporal consistency and flicker in it", report_command(run)),
        ("its label maps as images", f"tempseg export {folder} --format png --out {folder}-png"),
    ]


def report_command(run: RunRecord) -> str:
    """Return the command that draws the run's page with everything measured."""
    return f"tempseg report {_path(str(run.folder))}"


def command_list(commands: Iterable[tuple[str, str]]) -> Markup:
    """Return commands, ready to copy."""
    return element(
        "div",
        *(
            element(
                "figure",
                element("figcaption", told),
                element("pre", element("code", command)),
                element("button", "copy", type="button", class_="copy"),
            )
            for told, command in commands
        ),
        class_="commands",
    )


def _again(run: RunRecord) -> str:
    words = ["tempseg", "run", _path(run.source)]
    changed = changed_keys(run)
    model = changed.pop("segmenter.model", None)
    if model is not None:
        words += ["--model", shlex.quote(str(model))]
    words += ["--out", f"{_path(str(run.folder))}-again"]
    for key, value in changed.items():
        words += ["--set", shlex.quote(f"{key}={_toml(value)}")]
    return " ".join(words)


def _toml(value: object) -> str:
    """Return a value as `--set` reads it; plain text stays plain where it cannot be mistaken."""
    if isinstance(value, str) and re.fullmatch(r"[\w./:-]+", value):
        try:
            tomllib.loads(f"value = {value}")
        except tomllib.TOMLDecodeError:
            return value
    return json.dumps(value, ensure_ascii=False)


def _path(path: str) -> str:
    """Return a path as a shell takes it, never as an option."""
    return shlex.quote(f"./{path}" if path.startswith("-") else path)
