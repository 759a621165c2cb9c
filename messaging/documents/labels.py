"""The table that documents are read aloud by: `labels.toml`, with headings, code texts and what belongs together."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from messaging.documents.codelists import CodeLists
from messaging.documents.names import LIST_OIDS, local
from messaging.documents.reader import Element

_TYPES = ("Type", "MsgType")
"""Elements that may hold a message type; a code of another list is none of the types."""


class Mark(NamedTuple):
    """What must be seen first of all: that a message is cancelled, changed, a test, or a refusal."""

    kind: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class RootForm:
    """Where one kind of document keeps what stands on top; every place is a path of local names from the root."""

    name: str
    title: str
    sent: str
    cards: tuple[tuple[str, str], ...]
    about: tuple[str, ...]
    having: str = ""
    otherwise: str = ""
    again: str = ""
    status: tuple[str, ...] = ()
    test: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Join:
    """Values that make one line together: blanks within the inner groups, commas between them."""

    label: str
    parts: tuple[tuple[str, ...], ...]
    heading: str = ""

    @property
    def names(self) -> frozenset[str]:
        """Every name that takes part."""
        return frozenset(name for group in self.parts for name in group)


class Labels:
    """The table, to be asked by element."""

    def __init__(self, table: Mapping[str, Any], codes: CodeLists) -> None:
        self._labels: Mapping[str, str] = table["labels"]
        self._lists: Mapping[str, list[int]] = table["lists"]
        self._types: Mapping[str, str] = table["types"]
        self._codes = codes
        self._headings: Mapping[str, str] = table["headings"]
        self._pairs: Mapping[str, str] = table["pairs"]
        self._hidden = frozenset(table["hidden"])
        self._with_code = frozenset(table["with_code"])
        self.attachment: str = table["attachment"]
        self.about: str = table["about"]
        self.leading: tuple[str, ...] = tuple(table["leading"])
        self.mime: Mapping[str, str] = table["mime"]
        self.short: Mapping[str, str] = table["short"]
        self.schemes: Mapping[str, str] = table["schemes"]
        self.identity = frozenset(table["identity"]["names"])
        self.party: str = table["party"]
        self.quiet = frozenset(table["quiet"])
        self.joins = tuple(
            Join(join["label"], tuple(tuple(group) for group in join["parts"]), join.get("heading", ""))
            for join in table["joins"]
        )
        self.roots = tuple(_root(entry) for entry in table["root"])
        self._marks = {
            (subject, code): Mark(**mark) for subject, marks in table["marks"].items() for code, mark in marks.items()
        }

    @classmethod
    @cache
    def shipped(cls) -> Labels:
        """Read the table that comes with the exchange, once; the message types have their names from the catalogue."""
        table = tomllib.loads((files("messaging.documents") / "labels.toml").read_text(encoding="utf-8"))
        catalogue = tomllib.loads((files("schemas") / "catalogue.toml").read_text(encoding="utf-8"))
        table["types"] = {entry["type"]: entry["title"] for entry in catalogue["message"]}
        return cls(table, CodeLists.shipped())

    def knows(self, name: str) -> bool:
        """Tell whether an element of this local name has a heading, or is hidden."""
        return name in self._labels or name in self._hidden

    def of(self, element: Element) -> str:
        """Give an element's heading; empty when it adds none, the element's own name when the table has it not."""
        name = local(str(element.tag))
        return self._labels.get(_within(element), self._labels.get(name, name))

    def is_hidden(self, element: Element) -> bool:
        """Tell whether an element is of no use to a reader."""
        return _within(element) in self._hidden or local(str(element.tag)) in self._hidden

    def heading(self, element: Element) -> str | None:
        """Name the child whose value is the heading of a group, if it has such a child by its kind."""
        return self._headings.get(local(str(element.tag)))

    def pair(self, element: Element) -> str | None:
        """Name the sibling whose value is the heading of this value."""
        return self._pairs.get(_within(element), self._pairs.get(local(str(element.tag))))

    def code_text(self, element: Element, oid: str, code: str) -> str:
        """Give the text of a code that came without it; empty when no list that the element may take it from has it."""
        name, parent = local(str(element.tag)), _parent(element)
        if name in _TYPES and code in self._types:
            return self._types[code]
        numbers = self._lists.get(f"{parent}/{name}", self._lists.get(name, []))
        oids = [oid, *(f"{LIST_OIDS}{number}" for number in numbers)]
        lists = [*(self._codes.by_oid.get(one) for one in oids), *self._codes.taken_by(parent, name)]
        return next((found.codes[code] for found in lists if found and code in found.codes), "")

    def shows_code(self, oid: str) -> bool:
        """Tell whether a clinician reads the codes of a list beside their texts."""
        return oid.removeprefix(LIST_OIDS) in self._with_code

    def mark(self, subject: str, code: str) -> Mark | None:
        """Say what a code means for the whole document; the subject is status, test or answer."""
        return self._marks.get((subject, code))

    def root_form(self, root: Element) -> RootForm | None:
        """Find the form of a document by its root, and where roots share a name by what the root holds."""
        name = local(str(root.tag))
        inside = {local(str(inner.tag)) for inner in root.iterchildren("{*}*")}
        fits = (form for form in self.roots if form.name == name and (not form.having or form.having in inside))
        return next(fits, None)


def _parent(element: Element) -> str:
    parent = element.getparent()
    return "" if parent is None else local(str(parent.tag))


def _within(element: Element) -> str:
    return f"{_parent(element)}/{local(str(element.tag))}"


def _root(entry: Mapping[str, Any]) -> RootForm:
    lists = {name: tuple(entry.get(name, ())) for name in ("about", "status")}
    cards = tuple((title, path) for title, path in entry["cards"])
    return RootForm(**{**entry, **lists, "cards": cards})
