"""Code lists (kodeverk): which codes each has, and which element takes its code from which; `schemas/codelists/`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from messaging.errors import ConfigurationError

_ELEMENTS = "elements.toml"


@dataclass(frozen=True, slots=True)
class CodeList:
    """One list: its number, its OID, and the text of each code."""

    number: int
    oid: str
    name: str
    codes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CodeLists:
    """All lists by OID, and the lists that an element takes its code from, by "Parent/Name" or "Name"."""

    by_oid: Mapping[str, CodeList]
    elements: Mapping[str, tuple[CodeList, ...]]

    @classmethod
    @cache
    def shipped(cls) -> CodeLists:
        """Read the lists that come with the exchange, once."""
        return cls.load()

    @classmethod
    def load(cls, own: Path | None = None) -> CodeLists:
        """Read the shipped lists, and those in an operator's own folder in their place or beside them.

        Raises ConfigurationError naming the file at fault.
        """
        folder = Path(str(files("schemas"))) / "codelists"
        lists = _lists(folder) | (_lists(own) if own else {})
        named = tomllib.loads((folder / _ELEMENTS).read_text(encoding="utf-8"))["elements"]
        elements = {name: tuple(lists[number] for number in numbers) for name, numbers in named.items()}
        return cls({found.oid: found for found in lists.values()}, elements)

    def taken_by(self, parent: str, name: str) -> tuple[CodeList, ...]:
        """Find the lists that an element takes its code from, by local names; none where any may be used."""
        return self.elements.get(f"{parent}/{name}") or self.elements.get(name, ())

    def taken_anywhere(self, name: str) -> tuple[tuple[CodeList, ...], ...]:
        """Find the lists that elements of a name take their code from, here and there."""
        return tuple(lists for place, lists in self.elements.items() if place.rpartition("/")[2] == name)


def _lists(folder: Path) -> dict[int, CodeList]:
    if not folder.is_dir():
        raise ConfigurationError(f"code_lists: {folder} is no folder.")
    read = [_read(path) for path in sorted(folder.glob("*.toml")) if path.name != _ELEMENTS]
    return {found.number: found for found in read}


def _read(path: Path) -> CodeList:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        found = CodeList(int(content["number"]), str(content["oid"]), str(content["name"]), dict(content["codes"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"The code list {path.name} cannot be used: {error}") from error
    if not all(isinstance(text, str) for text in found.codes.values()):
        raise ConfigurationError(f"The code list {path.name} cannot be used: the text of each code must be a text.")
    return found
