"""Every word that the schemas themselves spell: what may be said aloud about a document without quoting it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lxml.etree import _Element as Element

from messaging.documents.names import XML_SCHEMA, qualified

_SCHEMA = qualified(XML_SCHEMA, "schema")
_ELEMENT = qualified(XML_SCHEMA, "element")
_ATTRIBUTE = qualified(XML_SCHEMA, "attribute")
_CV = "CV"
"""The data type of a coded value that names its list."""
_NAMED_TYPES = (qualified(XML_SCHEMA, "simpleType"), qualified(XML_SCHEMA, "complexType"))


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The local names of elements, attributes and types, and the values that the schemas prescribe."""

    elements: frozenset[str]
    attributes: frozenset[str]
    types: frozenset[str]
    values: frozenset[str]
    """Enumerated and fixed values, patterns and lengths."""
    namespaces: frozenset[str]
    with_list: frozenset[tuple[str, str]]
    """For each element whose coded value names its own list (data type CV), its parent's local name and its own name,
    with its namespace where it has one."""

    @classmethod
    def of(cls, schemas: Iterable[Element]) -> Vocabulary:
        """Gather the words of schema documents."""
        roots = list(schemas)
        nodes = [node for root in roots for node in root.iter("{*}*")]
        return cls(
            elements=_names(nodes, _ELEMENT),
            attributes=_names(nodes, _ATTRIBUTE),
            types=_names(nodes, *_NAMED_TYPES) | frozenset(BUILT_IN),
            values=frozenset(
                value for node in nodes for value in (node.get("value"), node.get("fixed")) if value is not None
            ),
            namespaces=frozenset(str(root.get("targetNamespace")) for root in roots),
            with_list=frozenset(_with_list(nodes)),
        )


def _with_list(nodes: Iterable[Element]) -> Iterator[tuple[str, str]]:
    """Find the places of coded values of the type CV: inside an element, or inside a type that elements are of."""
    declared = [node for node in nodes if node.tag == _ELEMENT]
    of_type: dict[str, set[str]] = {}
    for node in declared:
        of_type.setdefault(_type_of(node), set()).add(str(node.get("name")))
    for node in declared:
        if _type_of(node) == _CV:
            around = next((outer for outer in node.iterancestors() if outer.get("name")), node)
            names = {str(around.get("name"))} if around.tag == _ELEMENT else of_type.get(str(around.get("name")), set())
            yield from ((parent, _tag(node)) for parent in names)


def _tag(node: Element) -> str:
    """Write the name of an element that is declared inside another, as it stands in documents."""
    schema = next(outer for outer in node.iterancestors() if outer.tag == _SCHEMA)
    form = node.get("form") or schema.get("elementFormDefault") or "unqualified"
    namespace = schema.get("targetNamespace", "") if form == "qualified" else ""
    return qualified(str(namespace), str(node.get("name")))


def _type_of(element: Element) -> str:
    return str(element.get("type", "")).rpartition(":")[2]


def _names(nodes: Iterable[Element], *tags: str) -> frozenset[str]:
    return frozenset(str(node.get("name")) for node in nodes if node.tag in tags and node.get("name"))


BUILT_IN: dict[str, str] = {
    "dateTime": "a date and a time, such as 2024-05-31T13:45:00+02:00",
    "date": "a date, such as 2024-05-31",
    "time": "a time of day, such as 13:45:00",
    "gYear": "a year, such as 2024",
    "gYearMonth": "a year and a month, such as 2024-05",
    "boolean": "true or false",
    "integer": "a whole number",
    "int": "a whole number",
    "nonNegativeInteger": "a whole number, 0 or more",
    "positiveInteger": "a whole number, 1 or more",
    "decimal": "a number, with a point before the decimals",
    "double": "a number, with a point before the decimals",
    "float": "a number, with a point before the decimals",
    "base64Binary": "Base64",
    "hexBinary": "hexadecimal digits, two for each byte",
    "anyURI": "an address (URI), such as tel:12345678",
    "token": "text without line breaks and double blanks",
    "NMTOKEN": "a single word",
    "ID": "an identifier that begins with a letter and is used once in the document",
    "string": "text",
}
"""The types of XML Schema that the schemas use, in words."""
