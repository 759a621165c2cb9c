"""Small readings of an XML tree: a child, a path of children, a text, a place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from lxml.etree import _Element as Element

from messaging.documents.names import local
from messaging.documents.vocabulary import Vocabulary


def child(element: Element | None, *path: str) -> Element | None:
    """Go down a path of qualified names, always to the first of each; None as soon as one is missing."""
    for tag in path:
        if element is None:
            return None
        for inner in element:  # comparing tags costs half of what an iterator of lxml does, which parses its tag anew
            if inner.tag == tag:
                element = inner
                break
        else:
            return None
    return element


def every_child(element: Element, tag: str) -> list[Element]:
    """Find the children of one qualified name."""
    return [inner for inner in element if inner.tag == tag]


def child_named(element: Element | None, *path: str) -> Element | None:
    """Go down a path of local names in any namespace, always to the first of each; None as soon as one is missing."""
    for name in path:
        if element is None:
            return None
        element = next(element.iterchildren(f"{{*}}{name}"), None)
    return element


def first_of_each(element: Element | None) -> dict[str, Element]:
    """Find the first child of each name, in one go."""
    found: dict[str, Element] = {}
    for inner in () if element is None else element:
        if isinstance(inner.tag, str):
            found.setdefault(inner.tag, inner)
    return found


Children = Mapping[str, Sequence[Element]]
"""An element's children by their qualified names."""


def children_of(element: Element) -> Children:
    """Find all children by their names, in one go."""
    found: dict[str, list[Element]] = {}
    for inner in element:  # a comment's tag is no text, and nobody asks for it
        found.setdefault(inner.tag, []).append(inner)
    return found


def first(children: Children, tag: str) -> Element | None:
    """Pick the first child of a name; None when there is none."""
    found = children.get(tag)
    return found[0] if found else None


def text(element: Element | None) -> str:
    """Read an element's text, stripped; a comment inside it neither shows nor cuts the text short."""
    if element is None:
        return ""
    written = element.text or ""
    if len(element):
        written += "".join(inner.tail or "" for inner in element)
    return written.strip()


def attribute(element: Element | None, name: str) -> str:
    """Read an attribute, stripped; empty when element or attribute is missing."""
    return "" if element is None else (element.get(name) or "").strip()


def elements(element: Element) -> Iterator[Element]:
    """Go through an element's children, without comments and processing instructions."""
    return element.iterchildren("{*}*")


def take_out(element: Element) -> None:
    """Take an element out and leave the text that stands after it."""
    parent, before, tail = element.getparent(), element.getprevious(), element.tail
    if parent is None:
        return
    if tail and before is not None:
        before.tail = (before.tail or "") + tail
    elif tail:
        parent.text = (parent.text or "") + tail
    parent.remove(element)


def line_of(element: Element) -> int | None:
    """Tell the line that an element begins on."""
    return cast("int | None", element.sourceline)


def positions(element: Element) -> list[int]:
    """Tell where an element stands: which child each element around it, and it itself, is; comments count."""
    found: list[int] = []
    parent = element.getparent()
    while parent is not None:
        found.append(parent.index(element))
        element, parent = parent, parent.getparent()
    return found[::-1]


def path_of(element: Element, vocabulary: Vocabulary) -> str:
    """Write where an element stands: local names, with a position where siblings share the name.

    A name that no schema knows is the sender's own word, and is written as * with its position.
    """
    steps = [_step(element, vocabulary), *(_step(outer, vocabulary) for outer in element.iterancestors())]
    return "/" + "/".join(reversed(steps))


def _step(element: Element, vocabulary: Vocabulary) -> str:
    name = local(str(element.tag))
    wanted = f"{{*}}{name}" if name in vocabulary.elements else "{*}*"
    earlier = sum(1 for _ in element.itersiblings(wanted, preceding=True))
    alone = not earlier and next(element.itersiblings(wanted), None) is None
    return wanted.removeprefix("{*}") + ("" if alone else f"[{earlier + 1}]")
