"""Text with marks in it, such as XHTML in a note: read as paragraphs and tables; none of the marks is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from messaging.documents import values
from messaging.documents.names import local
from messaging.documents.reader import Element
from messaging.documents.tree import elements

_INLINE = frozenset(
    {
        *("a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "del", "dfn", "em", "font", "i", "ins"),
        *("kbd", "mark", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u"),
        *("var", "wbr"),
    }
)
_SILENT = frozenset({"script", "style", ""})
_IN_TABLE = frozenset({"thead", "tbody", "tfoot"})
_CELLS = frozenset({"td", "th"})
_MOST_COLUMNS = 40


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph, with its own line breaks."""

    text: str

    @property
    def characters(self) -> int:
        """Count what is written."""
        return len(self.text)


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: one row of headings, or none, and rows that are all as wide."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def characters(self) -> int:
        """Count what is written, and something for each cell."""
        return sum(_characters(row) for row in (self.head, *self.rows))


Block: TypeAlias = Words | Grid

_COST_OF_A_CELL = 10


def _characters(row: Sequence[str]) -> int:
    return sum(len(cell) + _COST_OF_A_CELL for cell in row)


def blocks_of(element: Element, most: int) -> list[Block]:
    """Read an element's content as paragraphs and tables, up to so many characters."""
    if next(elements(element), None) is None:
        written = values.words("".join(_texts(element))[: max(most, 0)])
        return [Words(written)] if written else []
    reading = _Reading(most)
    reading.read(element)
    reading.end_paragraph()
    return reading.blocks


class _Reading:
    """A reading under way: the blocks so far, and the paragraph that is still open."""

    def __init__(self, most: int) -> None:
        self.blocks: list[Block] = []
        self._open: list[str] = []
        self._left = most

    def read(self, element: Element) -> None:
        """Read an element's texts and children, in their order."""
        self._say(element.text)
        for inner in element:
            if self._left <= 0:
                return
            self._read_inner(inner, _name(inner))
            self._say(inner.tail)

    def end_paragraph(self) -> None:
        """Close the paragraph that is open, if it says anything."""
        lines = [values.line(one) for one in "".join(self._open).split("\n")]
        written = "\n".join(lines).strip()
        self._open = []
        if written:
            self.blocks.append(Words(written))

    def _read_inner(self, element: Element, name: str) -> None:
        if name in _SILENT:
            return
        if name == "br":
            self._open.append("\n")
        elif name in _INLINE:
            self.read(element)
        elif name == "table":
            self._read_table(element)
        else:
            self.end_paragraph()
            self._open += ["• "] if name == "li" else []
            self.read(element)
            self.end_paragraph()

    def _read_table(self, table: Element) -> None:
        self.end_paragraph()
        found = [row for row in self._affordable(table) if any(cell for _, cell in row)]
        width = max((len(row) for row in found), default=0)
        rows = [tuple(cell for _, cell in row) + ("",) * (width - len(row)) for row in found]
        headed = bool(found) and all(name == "th" for name, _ in found[0])
        if rows:
            self.blocks.append(Grid(rows[0] if headed else (), tuple(rows[1:] if headed else rows)))

    def _affordable(self, table: Element) -> Iterator[list[tuple[str, str]]]:
        """Go through the rows of a table for as long as there are characters left."""
        for row in _rows(table):
            if self._left <= 0:
                return
            self._left -= _characters([cell for _, cell in row])
            yield row

    def _say(self, written: str | None) -> None:
        if written and self._left > 0:
            self._open.append(written[: self._left].replace("\n", " "))
            self._left -= len(written)


def _rows(table: Element) -> Iterator[list[tuple[str, str]]]:
    """Go through the rows of a table, each cell with its element's name."""
    for inner in elements(table):
        name = _name(inner)
        if name in _IN_TABLE:
            yield from _rows(inner)
        elif name == "tr":
            named = ((_name(cell), cell) for cell in elements(inner))
            cells = islice(((kind, cell) for kind, cell in named if kind in _CELLS), _MOST_COLUMNS)
            yield [(kind, values.line(" ".join(_texts(cell)))) for kind, cell in cells]


def _name(element: Element) -> str:
    """Give an element's name in small letters; empty for a comment or processing instruction, whose tag is none."""
    tag: object = element.tag
    return local(tag).lower() if isinstance(tag, str) else ""


def _texts(element: Element) -> Iterator[str]:
    """Go through the texts of an element, without comments and what is silent."""
    if element.text:
        yield element.text
    for inner in element:
        if _name(inner) not in _SILENT:
            yield from _texts(inner)
        if inner.tail:
            yield inner.tail
