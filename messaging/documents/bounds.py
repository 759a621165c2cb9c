"""The limits of what a document may hold: bounded by counting bytes before the parse, and held exactly after it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from lxml import etree
from lxml.etree import _Element as Element

from messaging.documents.names import BASE64_CONTAINER
from messaging.model.limits import Limits

Excess = tuple[str, int | None]
"""The words for what is too much, and the line where it stands, None where it is the whole document."""

_PAST_DECLARATION = 5
"""Bytes from the start within which `<?` opens the XML declaration."""
_ATTRIBUTE = re.compile(rb"=[ \t\r\n]*[\"']")

_SAID: dict[str, tuple[str, str]] = {
    "document_bytes": (
        "The document is larger than {most} bytes",
        "Send less in it, such as smaller attachments",
    ),
    "prolog_bytes": (
        "More than {most} bytes stand before the root element",
        "Remove comments there",
    ),
    "depth": (
        "The elements are nested more than {most} deep",
        "Nest them less",
    ),
    "elements": (
        "The document has more than {most} elements",
        "Split the message",
    ),
    "children": (
        "An element holds more than {most} elements directly",
        "Split the message",
    ),
    "attributes": (
        "An element has more than {most} attributes",
        "Remove what the schema does not know",
    ),
    "attributes_in_all": (
        "The document has more than {most} attributes",
        "Split the message",
    ),
    "declarations": (
        "An element declares more than {most} namespaces",
        "Declare those that are used",
    ),
    "remarks": (
        "The document has more than {most} comments and processing instructions",
        "Remove them",
    ),
    "name_characters": (
        "A name is longer than {most} characters",
        "Use the schema's names",
    ),
    "text_characters": (
        "A text or an attribute is longer than {most} characters",
        "Send it as an attachment in Base64",
    ),
}
"""What is too much, and what the sender can do about it."""

_SETTING = {"document_bytes": "largest_document_bytes"}

WORDS = {
    limit: f"{what}. {advice}, or ask the exchange's operator to raise {_SETTING.get(limit, f'limits.{limit}')}."
    for limit, (what, advice) in _SAID.items()
}
"""What each limit says when it is exceeded."""


Find = Callable[[Element], Any]
"""A compiled path."""

_count: Find = etree.XPath("count(//*)")


class Bounds:
    """Holds documents to one set of limits; may be used by any number of threads at once."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._too_deep: Find = etree.XPath(f"boolean({'/*' * (limits.depth + 1)})")
        self._full: Find = etree.XPath(f"(//*[{limits.children + 1}])[1]/..")
        self._crowded: Find = etree.XPath(f"//@*[{limits.attributes + 1}]/..")
        long = f"string-length(name()) > {limits.name_characters}"
        self._long_named: Find = etree.XPath(f"(//*[{long}] | //@*[{long}]/..)[1]")
        self._long_name = re.compile(rb"<[^\s<>/]{%d}" % (min(limits.name_characters, 4_000_000_000) + 1))

    def excess_in_bytes(self, content: bytes) -> Excess | None:
        """Bound by counting bytes what the parse can cost, before it is begun; each count is an upper bound."""
        limits = self._limits
        if len(content) > limits.document_bytes:
            return self._over("document_bytes")
        if _remarks_exceed(content, limits.remarks):
            return self._over("remarks")
        if _exceeds(content, b"<", 2 * (limits.elements + limits.remarks + 1)):
            return self._over("elements")
        if _exceeds(content, b"=", limits.attributes_in_all) and self._attributes_exceed(content):
            return self._over("attributes_in_all")
        return None

    def excess_in_tree(self, root: Element, content: bytes, *, large: bool) -> Excess | None:
        """Hold the parsed document to what counting bytes could only bound."""
        limits = self._limits
        if self._too_deep(root):
            return self._over("depth")
        if _exceeds(content, b"<", limits.elements) and _count(root) > limits.elements:
            return self._over("elements")
        if _exceeds(content, b"<", limits.children) and (full := self._full(root)):
            return self._over("children", full[0])
        if crowded := self._crowded(root):
            return self._over("attributes", crowded[0])
        return self._excess_of_declarations_or_names(root, content, large=large) or self._excess_of_text(root, content)

    def _excess_of_declarations_or_names(self, root: Element, content: bytes, *, large: bool) -> Excess | None:
        if _exceeds(content, b"x", self._limits.declarations) and content.count(b"xmlns") > self._limits.declarations:
            element = self._declares_too_many(root)
            if element is not None:
                return self._over("declarations", element)
        if (large or self._long_name.search(content)) and (named := self._long_named(root)):
            return self._over("name_characters", named[0])
        return None

    def _excess_of_text(self, root: Element, content: bytes) -> Excess | None:
        element = self._long_text(root) if len(content) > self._limits.text_characters else None
        return None if element is None else self._over("text_characters", element)

    def over_prolog(self) -> Excess:
        """Say that too much stands before the root element."""
        return self._over("prolog_bytes")[0], 1

    def over_depth(self) -> Excess:
        """Say that libxml2 itself gave up on the nesting."""
        return self._over("depth")

    def _over(self, limit: str, element: Any = None) -> Excess:
        line = None if element is None else element.sourceline
        return WORDS[limit].format(most=getattr(self._limits, limit)), line

    def _attributes_exceed(self, content: bytes) -> bool:
        most = self._limits.attributes_in_all
        return any(number > most for number, _ in enumerate(_ATTRIBUTE.finditer(content), 1))

    def _declares_too_many(self, root: Element) -> Element | None:
        run = 0
        element: Any
        for event, element in etree.iterwalk(root, events=("start-ns", "start")):
            if event == "start-ns":
                run += 1
                continue
            if run > self._limits.declarations:
                found: Element = element
                return found
            run = 0
        return None

    def _long_text(self, root: Element) -> Element | None:
        """Find a text that is too long; an attachment's Base64 is bounded by the document."""
        most = self._limits.text_characters
        for node in root.iter():
            is_base64 = BASE64_CONTAINER in (node.tag, getattr(node.getparent(), "tag", None))
            values = node.values() if node.attrib else ()
            texts = () if is_base64 else (node.text, node.tail, *values)
            if any(len(text) > most for text in texts if text):
                return node
        return None


def _exceeds(content: bytes, byte: bytes, most: int) -> bool:
    """Tell whether a byte stands more than so many times; to count one byte costs a tenth of counting a word."""
    return len(content) > most and content.count(byte) > most


def _remarks_exceed(content: bytes, most: int) -> bool:
    if max(content.rfind(b"!"), content.rfind(b"?")) < most:
        return False  # to count costs ten times as much, and no two begin at the same byte
    return content.count(b"<!--") + content.count(b"<?", _PAST_DECLARATION) > most


@lru_cache(maxsize=16)
def bounds_of(limits: Limits) -> Bounds:
    """Give the bounds of a set of limits, made once."""
    return Bounds(limits)
