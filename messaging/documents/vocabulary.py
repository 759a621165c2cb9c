"""Every word that the schemas themselves spell: what may be said aloud about a document without quoting it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lxml.etree import _Element as Element

from messaging.documents.names import XML_SCHEMA, qualified

_ELEMENT = qualified(XML_SCHEMA, "element")
_ATTRIBUTE = qualified(XML_SCHEMA, "attribute")
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
        )


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
