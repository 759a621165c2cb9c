"""What the schemas find wrong, told better than lxml can: xmlschema looks too, for a while and in a process of its own.

lxml judges; xmlschema is asked only for words about what lxml rejects. Where libxml2 lists all that may stand next,
xmlschema knows what must; and libxml2 leaves an element at the first child it did not expect, which xmlschema does not.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from lxml import etree
from lxml.etree import ErrorTypes

from messaging.documents.catalogue import Catalogue
from messaging.documents.companion import STARTING, Companion
from messaging.documents.describe import MOST_DESCRIBED, MOST_EXPECTED, SchemaError, describe
from messaging.documents.names import local
from messaging.documents.reader import Element
from messaging.documents.tree import line_of, positions
from messaging.documents.vocabulary import BUILT_IN, Vocabulary
from messaging.model.faults import Fault

LARGEST = 200_000
"""Bytes of a document that xmlschema is asked about; it is over a hundred times slower than lxml."""
BUDGET = 2.0
"""Seconds that an explanation may take, waiting included."""

_MODULE = "messaging.documents.explaining"
"""Named and not imported: xmlschema takes a while to import, and only that process needs it."""
_CONTENT = ErrorTypes.SCHEMAV_ELEMENT_CONTENT
_NUMBERS = {
    "incomplete": _CONTENT,
    "unexpected": _CONTENT,
    "value": ErrorTypes.SCHEMAV_CVC_DATATYPE_VALID_1_2_1,
}
_MISSING = "Missing child element(s)."

Answer = list[dict[str, Any]]


class Explainer:
    """Puts schema errors into words with the help of xmlschema; may be called from any number of threads at once.

    Documents are looked at one at a time. The process starts when it is first needed; it is killed when a document
    takes it longer than BUDGET, and started anew for the next. What it cannot tell in time is told in lxml's words.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._turn = threading.Lock()
        self._process: Companion | None = None

    def words(self, errors: Sequence[Any], root: Element, vocabulary: Vocabulary) -> tuple[Fault, ...]:
        """Turn libxml2's schema errors (lxml's log entries) into faults, as `describe` does and better."""
        content = etree.tostring(root, encoding="utf-8")
        answer = self._ask(content) if len(content) <= LARGEST else None
        if not answer:
            return describe(errors, root, vocabulary)
        told = [SchemaError(error, root, vocabulary) for error in errors[:MOST_DESCRIBED]]
        found = [one for part in answer if (one := _Found.of(part, root, vocabulary))]
        return tuple(dict.fromkeys(one.fault() for one in (*_better(told, found), *_more(told, found))))

    def start(self) -> None:
        """Start the process and wait until it is ready, so that the first explanation is not short of time."""
        with self._turn:
            self._running().ready(time.monotonic() + STARTING)

    def close(self) -> None:
        """End the process."""
        with self._turn:
            self._stop()

    def _ask(self, content: bytes) -> Answer | None:
        """Ask about a document; None when there is no answer within the budget."""
        until = time.monotonic() + BUDGET
        if not self._turn.acquire(timeout=BUDGET):
            return None
        try:
            process = self._running()
            ready = process.ready(until)
            answer = process.ask(content, until) if ready else None
            if answer is None and (ready or process.is_late()):
                self._stop()
            return answer
        finally:
            self._turn.release()

    def _running(self) -> Companion:
        if self._process is None:
            self._process = Companion(_MODULE, self._catalogue)
        return self._process

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None


class _Found(SchemaError):
    """One error that xmlschema found, told as if libxml2 had."""

    def __init__(self, part: dict[str, Any], element: Element, vocabulary: Vocabulary) -> None:
        self.kind: str = part["kind"]
        self.at: list[int] = part["at"]
        self.number = _NUMBERS.get(self.kind, 0)
        self.message = self.ending = self.attribute = ""
        self.line = line_of(element)
        self.vocabulary = vocabulary
        self.element = element
        self._expected: list[str] = part["expected"]

    @classmethod
    def of(cls, part: dict[str, Any], root: Element, vocabulary: Vocabulary) -> _Found | None:
        """Find the element again by its positions."""
        element = root
        for position in part["at"]:
            if position >= len(element):
                return None
            element = element[position]
        return cls(part, element, vocabulary)

    def listed(self) -> list[str]:
        """Give what xmlschema expects: what must stand here."""
        return self._expected

    def expected_type(self) -> str:
        """Say what the type is that xmlschema names."""
        return BUILT_IN.get(self._expected[0], "")

    def says(self, phrase: str) -> bool:
        """Tell whether a child is missing, which is all that anyone asks."""
        return self.kind == "incomplete" and phrase.startswith("Missing")


def _better(told: Sequence[SchemaError], found: Sequence[_Found]) -> Iterator[SchemaError]:
    """Say what must stand in a place where libxml2 lists all that may."""
    required = {one.element: one for one in found if one.number == _CONTENT and one.expected()}
    for error in told:
        other = required.get(error.element) if error.number == _CONTENT else None
        yield other if other and _is_better(other, error) else error


def _is_better(other: _Found, error: SchemaError) -> bool:
    """Tell whether the shorter list helps more; a name that was mistaken is better sought in the whole list."""
    listed = error.expected()
    if len(other.expected()) >= len(listed) or other.says(_MISSING) is not error.says(_MISSING):
        return False
    of_the_schemas = other.element is not None and local(str(other.element.tag)) in other.vocabulary.elements
    mistaken = not of_the_schemas or error.name in map(local, listed)
    return error.says(_MISSING) or not mistaken or len(listed) == MOST_EXPECTED


def _more(told: Sequence[SchemaError], found: Sequence[_Found]) -> Iterator[_Found]:
    """Tell what is wrong after a child that was not expected: libxml2 looks no further in the element around it."""
    places = {tuple(positions(error.element)): error for error in told if error.element is not None}
    left = [at for at, error in places.items() if at and error.number == _CONTENT and not error.says(_MISSING)]
    for one in found:
        at = tuple(one.at)
        if at not in places and at[:-1] not in places and any(_is_after(at, child) for child in left):
            yield one


def _is_after(at: tuple[int, ...], child: tuple[int, ...]) -> bool:
    """Tell whether a place is that of a later sibling, or within one."""
    level = len(child)
    return at[: level - 1] == child[:-1] and at[level - 1 : level] > child[-1:]
