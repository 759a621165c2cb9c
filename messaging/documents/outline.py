"""The walk that turns any document into an outline for a reader: headings, values, tables; no markup yet.

One walk serves all messages: the schemas say what kind of value stands where, `labels.toml` what it is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import NamedTuple, TypeAlias

from messaging.documents import values
from messaging.documents.labels import Join, Labels, Mark, RootForm
from messaging.documents.names import DN, OT, S, U, V, local
from messaging.documents.reader import Element
from messaging.documents.rich import Grid, Words, blocks_of
from messaging.documents.structure import Kind, Place, Structure
from messaging.documents.tree import attribute, child_named, elements, text

MOST_CHARACTERS = 400_000
"""So much of a document is written out; what lies behind is left out, and the outline says so."""
MOST_SIBLINGS = 5_000
_COST_OF_A_VALUE = 20
"""What a value costs beside its own characters, and half of what a group costs, so that very many come to an end."""

_WIDEST_GRID = 7
_LONGEST_CELL = 120
_BASE64 = "Base64Container"
_WRITTEN = {Kind.TIME: values.moment, Kind.ADDRESS: values.address}


@dataclass(frozen=True, slots=True)
class Field:
    """A value under its heading."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Part:
    """What stands under one heading, or as one item of several when the heading is empty."""

    heading: str
    entries: tuple[Entry, ...]
    is_party: bool = False
    """Whether it is a person or an organisation, and is written close."""


Entry: TypeAlias = Field | Words | Grid | Part


@dataclass(frozen=True, slots=True)
class Outline:
    """A document as a person reads it, from the top."""

    title: str
    entries: tuple[Entry, ...]
    sent: str = ""
    marks: tuple[Mark, ...] = ()
    cards: tuple[Part, ...] = ()
    cut: bool = False
    """Whether the document is too large to be written out whole."""


class _Spot(NamedTuple):
    """An element of the document, its place in the schemas, and its heading."""

    element: Element
    place: Place | None
    label: str

    @property
    def name(self) -> str:
        return local(str(self.element.tag))

    @property
    def kind(self) -> Kind:
        """Tell what stands here; where document and schema disagree, what the document holds decides."""
        kind = self.place.kind if self.place else None
        if kind in (Kind.RICH, Kind.BYTES):
            return kind
        if next(elements(self.element), None) is not None:
            return Kind.GROUP
        if kind is None or kind is Kind.GROUP:
            coded = any(self.element.get(name) for name in (V, DN, OT))
            return Kind.CODE if coded else Kind.WORDS
        return kind


def outline_of(root: Element) -> Outline:
    """Write the outline of a document, whatever it is."""
    return _Walk(Structure.shipped(), Labels.shipped()).document(root)


@dataclass(slots=True)
class _Walk:
    structure: Structure
    labels: Labels
    taken: set[Element] = field(default_factory=set)
    """What stands elsewhere already."""
    left: int = MOST_CHARACTERS
    cut: bool = False

    def document(self, root: Element) -> Outline:
        top = _Spot(root, self.structure.root(str(root.tag)), self.labels.of(root))
        form = self.labels.root_form(root)
        if form is None:
            return Outline(top.label or top.name, tuple(self.inside(top)), cut=self.cut)
        title = self._take(top, form.title) or form.otherwise or top.label
        sent = self._take(top, form.sent)
        self.taken.update(spot.element for spot in self._at(top, form.again) if self._value(spot) == sent)
        marks = tuple(self._marks(top, form))
        cards = tuple(self._cards(top, form))
        about = self._about(top, form)
        return Outline(title, (*self.inside(top), *about), sent, marks, cards, self.cut)

    # What stands on top

    def _take(self, top: _Spot, path: str) -> str:
        spot = next(self._at(top, path), None)
        if spot is None:
            return ""
        self.taken.add(spot.element)
        return self._value(spot)

    def _at(self, top: _Spot, path: str) -> Iterator[_Spot]:
        """Go down a path of local names, to every element that it leads to; * stands for any name."""
        spots: Iterable[_Spot] = (top,)
        for step in path.split("/") if path else ():
            spots = [self._spot(inner, spot) for spot in spots for inner in spot.element.iterchildren(f"{{*}}{step}")]
        return iter(spots if path else ())

    def _marks(self, top: _Spot, form: RootForm) -> Iterator[Mark]:
        paths = [*(("status", path) for path in form.status), ("test", form.test), ("answer", form.answer)]
        for subject, path in paths:
            for spot in self._at(top, path):
                mark = self.labels.mark(subject, attribute(spot.element, V))
                if mark is not None:
                    yield mark

    def _cards(self, top: _Spot, form: RootForm) -> Iterator[Part]:
        for title, path in form.cards:
            for spot in self._at(top, path):
                is_patient = spot.name == "Patient"
                entries = self.inside(spot, only=self.labels.identity if is_patient else None)
                if is_patient:
                    self.taken.update(e for e in elements(spot.element) if local(str(e.tag)) in self.labels.identity)
                else:
                    self.taken.add(spot.element)
                heading = spot.label if self.labels.heading(spot.element) else title
                if entries:
                    yield Part(heading, tuple(entries), is_party=True)

    def _about(self, top: _Spot, form: RootForm) -> list[Entry]:
        """Write what is about the message rather than in it; it stands last."""
        entries: list[Entry] = []
        for path in (*form.about, *form.status):
            for spot in self._at(top, path):
                entries += self._run([spot])
                self.taken.add(spot.element)
        return [Part(self.labels.about, tuple(entries))] if entries else []

    # The walk

    def inside(self, spot: _Spot, *, only: frozenset[str] | None = None) -> list[Entry]:
        """Write what an element holds, neighbours of one name and heading together."""
        if self.left <= 0:
            self.cut = True
            return []
        self._spend(len(spot.label), 2)
        spots = [s for s in self._children(spot) if only is None or s.name in only]
        entries: list[Entry] = []
        for is_ready, pieces in groupby(self._joined(self._paired(spots)), key=lambda piece: isinstance(piece, Field)):
            if is_ready:
                entries += [piece for piece in pieces if isinstance(piece, Field)]
                continue
            alone = (piece for piece in pieces if isinstance(piece, _Spot))
            for _, run in groupby(alone, key=lambda s: (s.element.tag, s.label)):
                entries += self._run(list(run))
        return self._leading(entries)

    def _children(self, spot: _Spot) -> list[_Spot]:
        found = list(islice(elements(spot.element), MOST_SIBLINGS + 1))
        self.cut = self.cut or len(found) > MOST_SIBLINGS
        return [
            self._spot(inner, spot)
            for inner in found[:MOST_SIBLINGS]
            if inner not in self.taken and not self.labels.is_hidden(inner)
        ]

    def _spot(self, element: Element, outer: _Spot) -> _Spot:
        tag = str(element.tag)
        place = outer.place.inside(tag) if outer.place else self.structure.root(tag)
        return _Spot(element, place, self._label(element, place))

    def _label(self, element: Element, place: Place | None) -> str:
        if _is_attachment(element):
            return self.labels.attachment
        plain = self.labels.of(element)
        named = self.labels.heading(element)
        head = None if named is None else child_named(element, named)
        if head is None:
            return plain
        heading = self._value(_Spot(head, place and place.inside(str(head.tag)), ""))
        if heading:
            self.taken.add(head)
        return heading or plain

    def _paired(self, spots: Sequence[_Spot]) -> list[_Spot]:
        """Give values the headings that their siblings hold, and pass over those siblings."""
        by_name = {spot.name: spot for spot in reversed(spots)}
        paired: list[_Spot] = []
        used = set[Element]()
        for spot in spots:
            head = by_name.get(self.labels.pair(spot.element) or "")
            heading = self._value(head) if head is not None and _is_filled(spot.element) else ""
            if head is not None and heading:
                used.add(head.element)
            paired.append(spot._replace(label=self.labels.short.get(heading, heading) or spot.label))
        return [spot for spot in paired if spot.element not in used]

    def _joined(self, spots: list[_Spot]) -> list[_Spot | Field]:
        """Put values that make one line together, where the first of them stands."""
        pieces: list[_Spot | Field] = list(spots)
        for join in self.labels.joins:
            members = {spot.name: spot for spot in spots if spot.name in join.names}
            if not members:
                continue
            head = next((spot for spot in spots if spot.name == join.heading), None)
            joined = Field(self._value(head) if head else "", self._line(join, members))
            joined = Field(joined.label or join.label, joined.value)
            first = pieces.index(next(iter(members.values())))
            gone = [*members.values(), *([head] if head else [])]
            pieces = [
                joined if at == first else piece for at, piece in enumerate(pieces) if at == first or piece not in gone
            ]
        return [piece for piece in pieces if not isinstance(piece, Field) or piece.value]

    def _line(self, join: Join, members: dict[str, _Spot]) -> str:
        groups = (
            " ".join(filter(None, (self._value(members[name]) for name in group if name in members)))
            for group in join.parts
        )
        return ", ".join(filter(None, groups))

    def _run(self, run: list[_Spot]) -> list[Entry]:
        """Write neighbours of one name: values one below the other, groups as one part."""
        kind, label = run[0].kind, run[0].label
        if kind is Kind.RICH:
            return [entry for spot in run for entry in self._rich(spot)]
        if kind is not Kind.GROUP:
            return [entry for spot in run for entry in _named(self._scheme(spot) or label, self._value(spot))]
        bodies = [body for body in (self.inside(spot) for spot in run) if body]
        if not bodies:
            return []
        is_party = any(isinstance(entry, Field) and entry.label == self.labels.party for entry in bodies[0])
        entries = _together(bodies, is_party=is_party)
        return [Part(label, tuple(entries), is_party and len(bodies) == 1)] if label else entries

    def _leading(self, entries: list[Entry]) -> list[Entry]:
        """Put first what one looks for first, when it stands among plain values."""
        if not entries or not isinstance(entries[0], Field):
            return entries
        plain = next((at for at, entry in enumerate(entries) if not isinstance(entry, Field)), len(entries))
        order = {label: at for at, label in enumerate(self.labels.leading)}
        first = sorted(entries[:plain], key=lambda e: order.get(e.label, len(order)) if isinstance(e, Field) else 0)
        return [*first, *entries[plain:]]

    # Values

    def _rich(self, spot: _Spot) -> list[Entry]:
        blocks = blocks_of(spot.element, self.left)
        self._spend(sum(block.characters for block in blocks), len(blocks))
        if all(isinstance(block, Words) for block in blocks):
            joined = "\n\n".join(block.text for block in blocks if isinstance(block, Words))
            return _named(spot.label, joined)
        return [Part(spot.label, tuple(blocks))] if spot.label else [*blocks]

    def _value(self, spot: _Spot) -> str:
        """Write a single value in one string, and count it."""
        value = self._written(spot)
        if len(value) > max(self.left, 0):
            self.cut, value = True, value[: max(self.left, 0)]
        self._spend(len(value), 1)
        return value

    def _spend(self, characters: int, number: int) -> None:
        self.left -= characters + number * _COST_OF_A_VALUE
        self.cut = self.cut or self.left <= 0

    def _written(self, spot: _Spot) -> str:
        element, kind = spot.element, spot.kind
        written = attribute(element, V) or text(element)[: max(self.left, 0) + 1]
        match kind:
            case Kind.CODE:
                said = self._code(element)
            case Kind.TRUTH:
                said = values.truth(written)
                said = "" if said == values.NO and spot.name in self.labels.quiet else said
            case Kind.AMOUNT:
                said = f"{values.number(written)}\xa0{values.line(attribute(element, U))}".strip()
            case Kind.BYTES:
                said = values.size(values.size_of_base64(element.text or ""))
            case _:
                said = _WRITTEN.get(kind, values.words)(written)
        return self._mime(said) if spot.name == "MimeType" else said

    def _code(self, element: Element) -> str:
        """Write a coded value by its text; its own free text (OT) beside or instead of it; the bare code if need be."""
        code, oid = attribute(element, V), attribute(element, S)
        said = values.line(attribute(element, DN)) or self.labels.code_text(element, oid, code)
        if said and code and self.labels.shows_code(oid):
            said = f"{said} ({values.line(code)})"
        own = values.words(element.get(OT) or "")
        if own and own != said:
            said = f"{said}: {own}" if said else own
        return said or values.line(code) or values.words(text(element))

    def _mime(self, written: str) -> str:
        known = self.labels.mime.get(written.lower())
        return f"{known} ({written})" if known else written

    def _scheme(self, spot: _Spot) -> str:
        """Name an electronic address by its scheme, unless the document itself has named it."""
        if spot.kind is not Kind.ADDRESS or spot.label != self.labels.of(spot.element):
            return ""
        return self.labels.schemes.get(attribute(spot.element, V).partition(":")[0].lower(), "")


def _named(label: str, value: str) -> list[Entry]:
    """Write a value under its heading; one without a heading is a paragraph, an empty one nothing."""
    if not value:
        return []
    return [Field(label, value) if label else Words(value)]


def _is_attachment(element: Element) -> bool:
    """Tell whether an element carries, or points to, a file instead of a message's own XML."""
    name = local(str(element.tag))
    if name == "Document":
        return any(_is_file(inner) for inner in element.iterchildren("{*}RefDoc"))
    outer = element.getparent()
    return name == "RefDoc" and (outer is None or local(str(outer.tag)) != "Document") and _is_file(element)


def _is_file(reference: Element) -> bool:
    content = child_named(reference, "Content")
    held = [] if content is None else [local(str(inner.tag)) for inner in elements(content)]
    return set(held) == {_BASE64} or (not held and child_named(reference, "FileReference") is not None)


def _is_filled(element: Element) -> bool:
    if any((element.get(name) or "").strip() for name in (V, DN, OT)):
        return True
    return any(str(piece).strip() for piece in element.itertext())


def _together(bodies: list[list[Entry]], *, is_party: bool) -> list[Entry]:
    """Put the contents of neighbours together: single values as one list, alike ones as a table, others as items."""
    if len(bodies) == 1 or all(len(body) == 1 and isinstance(body[0], Field | Words) for body in bodies):
        return [entry for body in bodies for entry in body]
    grid = None if is_party else _grid(bodies)
    return [grid] if grid else [Part("", tuple(body), is_party) for body in bodies]


def _grid(bodies: list[list[Entry]]) -> Grid | None:
    """Make a table of alike items: short values only, and at least half of the columns common to all."""
    rows: list[dict[str, str]] = []
    for body in bodies:
        row = {entry.label: entry.value for entry in body if isinstance(entry, Field)}
        if len(row) != len(body) or any(len(value) > _LONGEST_CELL or "\n" in value for value in row.values()):
            return None
        rows.append(row)
    columns = list(dict.fromkeys(label for row in rows for label in row))
    common = [label for label in columns if all(label in row for row in rows)]
    if len(columns) > _WIDEST_GRID or len(common) * 2 < len(columns):
        return None
    return Grid(tuple(columns), tuple(tuple(row.get(label, "") for label in columns) for row in rows))
