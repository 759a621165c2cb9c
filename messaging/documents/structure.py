"""What the schemas say about each place in a document: what kind of value stands there, and what it may hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path

from messaging.documents.names import XML_SCHEMA, local, qualified
from messaging.documents.reader import Element, Tree, read
from messaging.documents.tree import child
from messaging.errors import ConfigurationError


class Kind(Enum):
    """What stands in an element."""

    GROUP = "group"
    """Elements, and nothing of its own."""
    CODE = "code"
    """A coded value: V, S, DN, OT."""
    TIME = "time"
    """A time or a date: as text, or in V."""
    AMOUNT = "amount"
    """A number with its unit: V, U."""
    TRUTH = "truth"
    """True or false: as text, or in V."""
    ADDRESS = "address"
    """A telephone number or another address of the kind of a URL, in V."""
    WORDS = "words"
    """Text, or a number."""
    RICH = "rich"
    """Anything: text, or text with marks in it."""
    BYTES = "bytes"
    """Base64."""


_SCHEMA_TYPES = {
    **dict.fromkeys(("dateTime", "date", "time", "gYear", "gYearMonth"), Kind.TIME),
    "boolean": Kind.TRUTH,
    "base64Binary": Kind.BYTES,
    "anyType": Kind.RICH,
}
_OWN_TYPES = {
    **dict.fromkeys(("CS", "CV"), Kind.CODE),
    **dict.fromkeys(("PQ", "MO", "REAL"), Kind.AMOUNT),
    **dict.fromkeys(("ED", "TN"), Kind.RICH),
    "TS": Kind.TIME,
    "BL": Kind.TRUTH,
    "URL": Kind.ADDRESS,
}
"""The data types that the standards share (KITH datatyper), whichever namespace repeats them."""

_ELEMENT = qualified(XML_SCHEMA, "element")
_NAMED = {qualified(XML_SCHEMA, name): name for name in ("simpleType", "complexType")}
_SIMPLE_CONTENT = qualified(XML_SCHEMA, "simpleContent")
_BASED_ON = tuple(qualified(XML_SCHEMA, name) for name in ("extension", "restriction"))
_COMPLEX = qualified(XML_SCHEMA, "complexType")
_SIMPLE = qualified(XML_SCHEMA, "simpleType")


class Place:
    """An element as a schema declares it: its kind, and the places inside it."""

    def __init__(self, structure: Structure, declaration: Element) -> None:
        self._structure = structure
        self._declaration = declaration
        self._type = structure.type_of(declaration)
        self.kind = structure.kind_of(declaration, self._type)

    def inside(self, tag: str) -> Place | None:
        """Find the place of a child, by its local name; of a payload, by its whole name."""
        return self.children.get(local(tag)) or self._structure.root(tag)

    @cached_property
    def children(self) -> Mapping[str, Place]:
        """The places inside this one, by local name."""
        declared = self._structure.children_of(self._type)
        return {name: self._structure.place(declaration) for name, declaration in declared}


class Structure:
    """All schemas together, to be asked what stands where; it holds nothing of any document."""

    def __init__(self, schemas: Iterable[Element]) -> None:
        self._roots: dict[str, Element] = {}
        self._types: dict[str, Element] = {}
        self._places: dict[Element, Place] = {}
        for schema in schemas:
            namespace = schema.get("targetNamespace", "")
            for node in schema.iterchildren(_ELEMENT, *_NAMED):
                found = self._roots if node.tag == _ELEMENT else self._types
                found[qualified(namespace, node.get("name", ""))] = node

    @classmethod
    @cache
    def shipped(cls) -> Structure:
        """Read the schemas that come with the exchange, once; takes about 10 ms."""
        folder = Path(str(files("schemas")))
        return cls(_read(path) for path in sorted(folder.rglob("*.xsd")))

    def tags(self) -> list[str]:
        """Name every element that may stand alone."""
        return [*self._roots]

    def root(self, tag: str) -> Place | None:
        """Find the place of an element that may stand alone; None when no schema knows it."""
        declaration = self._roots.get(tag)
        return None if declaration is None else self.place(declaration)

    def place(self, declaration: Element) -> Place:
        """Give the place that a declaration makes; always the same one, since places may hold themselves."""
        known = self._places.get(declaration)
        if known is None:
            known = self._places[declaration] = Place(self, declaration)
        return known

    def children_of(self, type_: Element | None) -> Iterator[tuple[str, Element]]:
        """Go through the elements that a type lets in, each with its own declaration."""
        pending = [] if type_ is None else [*type_]
        while pending:
            node = pending.pop(0)
            if node.tag != _ELEMENT:
                pending = [*node.iterchildren("{*}*"), *pending]
                continue
            declaration = self._roots.get(_resolved(node, node.get("ref"))) if node.get("ref") else node
            if declaration is not None:
                yield declaration.get("name", ""), declaration

    def type_of(self, declaration: Element) -> Element | None:
        """Find the type that a schema of ours defines for an element, under a name or on the spot."""
        named = self._types.get(_resolved(declaration, declaration.get("type")))
        if named is not None:
            return named
        inline = child(declaration, _COMPLEX)
        return inline if inline is not None else child(declaration, _SIMPLE)

    def kind_of(self, declaration: Element, type_: Element | None) -> Kind:
        """Tell what kind of value a declared element holds."""
        name = declaration.get("type")
        if name is None and type_ is None:
            return Kind.RICH
        if name is not None and (known := _known(declaration, name)) is not None:
            return known
        if type_ is None:
            return Kind.WORDS
        bases = [node for node in type_.iter(*_BASED_ON) if node.get("base")]
        if type_.tag == _SIMPLE or child(type_, _SIMPLE_CONTENT) is not None:
            kinds = [_known(node, node.get("base", "")) for node in bases]
            return next((kind for kind in kinds if kind), Kind.WORDS)
        return Kind.GROUP


def _known(node: Element, name: str) -> Kind | None:
    if _resolved(node, name).startswith(f"{{{XML_SCHEMA}}}"):
        return _SCHEMA_TYPES.get(local(_resolved(node, name)), Kind.WORDS)
    return _OWN_TYPES.get(name.rpartition(":")[2])


def _resolved(node: Element, name: str | None) -> str:
    prefix, _, plain = (name or "").rpartition(":")
    return qualified(node.nsmap.get(prefix or None, ""), plain)


def _read(path: Path) -> Element:
    tree = read(path.read_bytes())
    if not isinstance(tree, Tree):
        raise ConfigurationError(f"schemas/{path.name} cannot be read: {tree.text}")
    return tree.root
