"""A document as a person reads it: HTML in Norwegian for a page, text for a terminal.

Safe by construction: the only markup is what this module writes, every text is escaped where it is written, and nothing
of the document becomes an attribute, a link, a style or an address to fetch from.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import groupby

from messaging.documents.labels import Labels
from messaging.documents.outline import Entry, Field, Outline, Part, outline_of
from messaging.documents.reader import read
from messaging.documents.rich import Grid, Words
from messaging.model.faults import Fault

_LONG = 90
"""A value longer than this stands below its heading, and not beside it."""
_SHORT = 40
"""Among values that are long, only one as short as this stands beside its heading."""
_WIDTH = 96
_INDENT = "  "
_DEEPEST_HEADING = 6

_SENT = "Sendt"
_CUT = "Dokumentet er for stort til å vises helt. Resten er utelatt her."


def render_html(content: bytes) -> str:
    """Write a document as HTML: one `article`, to be put into a page; a document that is no XML gives a sentence."""
    outline = _outline(content)
    if isinstance(outline, str):
        return f'<article class="document" lang="nb"><p class="unreadable">{escape(outline)}</p></article>'
    return "".join(['<article class="document" lang="nb">', *_document(outline), "</article>"])


def render_text(content: bytes) -> str:
    """Write a document as text for a terminal, indented by its headings; a document that is no XML gives a sentence."""
    outline = _outline(content)
    return outline if isinstance(outline, str) else "\n".join(_document_lines(outline))


def _outline(content: bytes) -> Outline | str:
    tree = read(content)
    if isinstance(tree, Fault):
        place = f" Feilen er i linje {tree.line}." if tree.line else ""
        return f"Dokumentet kan ikke vises, fordi det ikke lar seg lese som XML.{place}"
    return outline_of(tree.root)


# HTML


def _document(outline: Outline) -> Iterator[str]:
    yield '<header class="top">'
    for mark in outline.marks:
        yield f'<p class="mark {mark.kind}"><strong>{escape(mark.title)}</strong> {escape(mark.text)}</p>'
    yield f"<h2>{escape(outline.title)}</h2>"
    if outline.sent:
        yield f'<p class="sent">{_SENT} {escape(outline.sent)}</p>'
    if outline.cards:
        yield '<div class="cards">'
        for card in outline.cards:
            yield from _part(card, 3)
        yield "</div>"
    yield "</header>"
    yield from _entries(outline.entries, 3)
    if outline.cut:
        yield f'<p class="cut">{_CUT}</p>'


def _entries(entries: Sequence[Entry], level: int) -> Iterator[str]:
    for kind, run in groupby(entries, key=type):
        if kind is Field:
            yield from _fields([entry for entry in run if isinstance(entry, Field)])
            continue
        for entry in run:
            match entry:
                case Part():
                    yield from _part(entry, level)
                case Grid():
                    yield from _grid(entry)
                case Words():
                    yield from _paragraphs(entry.text)


def _part(part: Part, level: int) -> Iterator[str]:
    """Write a part as a section with its heading, or as one item of several when it has none."""
    kind = "party" if part.is_party else "part"
    yield f'<section class="{kind}">' if part.heading else f'<div class="item {kind}">'
    if part.heading:
        heading = f"h{min(level, _DEEPEST_HEADING)}"
        yield f"<{heading}>{escape(part.heading)}</{heading}>"
    yield from _entries(part.entries, level + 1 if part.heading else level)
    yield "</section>" if part.heading else "</div>"


def _fields(fields: Sequence[Field]) -> Iterator[str]:
    yield "<dl>"
    most = _SHORT if any(_is_long(field.value, _LONG) for field in fields) else _LONG
    for label, run in groupby(fields, key=lambda field: field.label):
        same = [field.value for field in run]
        long = any(_is_long(value, most) for value in same)
        kind = "long" if long else "short name" if label == Labels.shipped().party else "short"
        yield f'<div class="{kind}"><dt>{escape(label)}</dt>'
        for value in same:
            yield f" <dd>{''.join(_paragraphs(value)) if long else escape(value)}</dd>"
        yield "</div>"
    yield "</dl>"


def _is_long(value: str, most: int) -> bool:
    return len(value) > most or "\n" in value


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        if paragraph.strip():
            yield f"<p>{'<br>'.join(escape(line) for line in paragraph.strip(chr(10)).split(chr(10)))}</p>"


def _grid(grid: Grid) -> Iterator[str]:
    yield '<div class="wide"><table>'
    if any(grid.head):
        yield "<thead><tr>" + "".join(f'<th scope="col">{escape(cell)}</th>' for cell in grid.head) + "</tr></thead>"
    yield "<tbody>"
    for row in grid.rows:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
    yield "</tbody></table></div>"


# Text


def _document_lines(outline: Outline) -> Iterator[str]:
    for mark in outline.marks:
        yield from _wrapped(f"*** {mark.title.upper()} *** {mark.text}", "")
    yield outline.title
    yield "=" * min(len(outline.title), _WIDTH)
    if outline.sent:
        yield f"{_SENT} {outline.sent}"
    yield from _entry_lines((*outline.cards, *outline.entries), "")
    if outline.cut:
        yield ""
        yield from _wrapped(_CUT, "")


def _entry_lines(entries: Iterable[Entry], indent: str) -> Iterator[str]:
    earlier: Entry | None = None
    for entry in entries:
        if not indent and isinstance(earlier, Part) and not isinstance(entry, Part):
            yield ""
        earlier = entry
        match entry:
            case Field():
                yield from _field_lines(entry, indent)
            case Words():
                yield from _text_lines(entry.text, indent)
            case Grid():
                yield from _grid_lines(entry, indent)
            case Part():
                yield from _part_lines(entry, indent)


def _part_lines(part: Part, indent: str) -> Iterator[str]:
    if not part.heading:
        lines = [*_entry_lines(part.entries, "")]
        yield from (f"{indent}{'- ' if at == 0 else _INDENT}{line}".rstrip() for at, line in enumerate(lines))
        return
    if not indent:
        yield ""
    yield f"{indent}{part.heading.upper() if not indent else part.heading + ':'}"
    yield from _entry_lines(part.entries, indent + _INDENT)


def _field_lines(field: Field, indent: str) -> Iterator[str]:
    if not _is_long(field.value, _LONG):
        yield from _wrapped(f"{field.label}: {field.value}", indent)
        return
    yield f"{indent}{field.label}:"
    yield from _text_lines(field.value, indent + _INDENT)


def _text_lines(text: str, indent: str) -> Iterator[str]:
    for line in text.split("\n"):
        yield from _wrapped(line, indent)


def _wrapped(line: str, indent: str) -> Iterator[str]:
    width = max(_WIDTH - len(indent), _WIDTH // 2)
    yield from (f"{indent}{piece}".rstrip() for piece in textwrap.wrap(line, width, break_on_hyphens=False) or [""])


def _grid_lines(grid: Grid, indent: str) -> Iterator[str]:
    """Write a table in columns where it fits the terminal, and else row by row."""
    rows = [grid.head, *grid.rows] if any(grid.head) else [*grid.rows]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    if len(indent) + sum(widths) + 2 * len(widths) <= _WIDTH:
        for row in rows:
            columns = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            yield f"{indent}{'  '.join(columns)}".rstrip()
        return
    for row in grid.rows:
        named = zip(grid.head or [""] * len(row), row, strict=True)
        cells = [f"{label}: {cell}" if label else cell for label, cell in named if cell]
        yield from (f"{indent}{'- ' if at == 0 else _INDENT}{cell}" for at, cell in enumerate(cells))
