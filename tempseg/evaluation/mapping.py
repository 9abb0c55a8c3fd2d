"""Which class of one class set is which of another, as a file says it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tempseg.class_sets import ClassSet, class_set, custom
from tempseg.errors import ConfigError
from tempseg.types import VOID_8, VOID_16

__all__ = ["ClassMapping", "load_mapping"]

REST = "*"
"""The key of a table that stands for all classes it does not name."""

_FORMS = (
    'a list of target ids, or a table such as {"road": 3, "19": "void", "*": 0}; '
    "beside it, under `classes`, the target's class set"
)


@dataclass(frozen=True, slots=True)
class ClassMapping:
    """Target ids by source class.

    Parameters
    ----------
    name : str
        The file, for messages.
    rules : mapping of str to (int or None)
        By a source class's name, or its id in digits; none is void.
    class_set : ClassSet or None
        The target classes, where the file names them.
    """

    name: str
    rules: Mapping[str, int | None]
    class_set: ClassSet | None = None

    @property
    def target_count(self) -> int:
        """How many classes the targets need, counted by the highest that may be a class."""
        targets = {target for target in self.rules.values() if target is not None} - {VOID_16}
        # Void as it stands in files, unless there are classes beyond it.
        if max(targets, default=0) == VOID_8:
            targets.remove(VOID_8)
        return 1 + max(targets, default=0)

    def names(self, value: int, source: ClassSet | None) -> bool:
        """Return whether the file has a rule for this very id."""
        names = () if source is None else source.names[value : value + 1]
        return str(value) in self.rules or any(name in self.rules for name in names)

    def targets(self, source: ClassSet | None, *, values: int) -> dict[int, int | None]:
        """Return the target of every id below `values` that the file has one for; none is void.

        Raises
        ------
        ConfigError
            When a rule names no class of the source.
        """
        by_id: dict[int, int | None] = {}
        names = () if source is None else source.names
        for key, target in self.rules.items():
            if key == REST:
                continue
            if key in names:
                by_id[names.index(key)] = target
            elif key.isdecimal() and int(key) < values:
                by_id[int(key)] = target
            else:
                known = ", ".join(names) if names else f"ids from 0 to {values - 1}"
                raise ConfigError(
                    f"{self.name}: there is no class {key!r} to map; there are {known}"
                )
        if REST in self.rules:
            rest = self.rules[REST]
            by_id |= {value: rest for value in range(values) if value not in by_id}
        return by_id


def load_mapping(path: str | Path) -> ClassMapping:
    """Return the mapping in a TOML or JSON file.

    The file holds a list of target ids, the place being the source id, or a table from names or
    ids to target ids or `void`, in which `*` stands for the rest; JSON may hold it as it is, else
    it stands under `map`. Under `classes` stand the target classes: a well-known set's name or a
    list. Targets may then be named, too.

    Raises
    ------
    ConfigError
        When there is no such file or it holds no mapping.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        document = json.loads(text) if Path(path).suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{path}: no readable file of classes ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: is no JSON or TOML ({error})") from error
    named: object = None
    if isinstance(document, dict) and "map" in document:
        stray = sorted(set(document) - {"map", "classes"})
        if stray:
            raise ConfigError(f"{path}: unknown key {stray[0]!r}; there are map and classes")
        document, named = document["map"], document.get("classes")
    if isinstance(document, list):
        document = {str(place): target for place, target in enumerate(document)}
    if not isinstance(document, dict) or not document:
        raise ConfigError(f"{path}: holds no mapping of classes; give {_FORMS}")
    classes = _class_set(path, named)
    rules = {str(key): _target(path, key, value, classes) for key, value in document.items()}
    return ClassMapping(str(path), rules, classes)


def _class_set(path: str | Path, named: object) -> ClassSet | None:
    if named is None:
        return None
    if isinstance(named, str):
        return class_set(named)
    if isinstance(named, list) and all(isinstance(name, str) for name in named):
        return custom(named)
    raise ConfigError(f"{path}: classes is {named!r}, expected a class set's name or a list")


def _target(path: str | Path, key: str, value: object, classes: ClassSet | None) -> int | None:
    if value == "void":
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 65536:
        return value
    if classes is not None and isinstance(value, str) and value in classes.names:
        return classes.names.index(value)
    raise ConfigError(f"{path}: {key!r} maps to {value!r}, expected a target's id, or 'void'")
