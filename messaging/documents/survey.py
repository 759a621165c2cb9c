"""One walk over a document, which finds what the rules on codes and on habits of writing must look at.

Nearly every value in nearly every document is in order. A rule that walked by itself would cost as much as the schemas
do; the one walk leaves out at once what no rule could object to, and the rules decide on the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from lxml import etree

from messaging.documents.codelists import CodeList, CodeLists
from messaging.documents.names import BASE64_CONTAINER, DN, S, V, local, namespace_of
from messaging.documents.reader import Element
from messaging.documents.vocabulary import Vocabulary

PERSON_NUMBERS = frozenset({"FNR", "DNR", "HNR", "FHN"})
"""The types of number (list 8116) that have check digits."""

_BLANKS = "\t\n\r "
_TELE_ADDRESS = "TeleAddress"
_TYPES_OF_NUMBER = frozenset({"TypeId", "TypeOffId", "Type"})
"""Where the type of a person's number stands."""
_NONE: frozenset[str | None] = frozenset()


class Coded(NamedTuple):
    """An element with a value in V: its names, the name of the element around it, and its attributes."""

    element: Element
    tag: str
    parent: str
    name: str
    code: str
    oid: str | None
    text: str | None

    @classmethod
    def of(cls, element: Element) -> Coded:
        """Read an element that has a V."""
        parent = element.getparent()
        around = "" if parent is None else local(str(parent.tag))
        tag, get = str(element.tag), element.get
        oid = get(S)
        return cls(element, tag, around, local(tag), (get(V) or "").strip(), oid and oid.strip(), get(DN))


@dataclass(frozen=True, slots=True)
class Found:
    """What a walk found: coded values to look at, elements with nothing in them, texts that end in blanks."""

    coded: list[Coded] = field(default_factory=list)
    empty: list[Element] = field(default_factory=list)
    blank_at_end: list[Element] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Look:
    """How to look at the coded values of one name."""

    plain: bool
    """Whether no rule has anything to say about it."""
    always: bool
    names_list: bool
    """Whether, somewhere, it is of the kind that names its list."""
    taken: tuple[tuple[CodeList, ...], ...]
    """The lists that it takes its codes from, here and there."""
    fine: Mapping[str, frozenset[str | None]]
    """Codes that are in order everywhere, with the OIDs that may stand beside each."""


class Surveyor:
    """Walks over documents; it remembers names of the standards, and nothing of any document."""

    def __init__(self, codes: CodeLists, vocabulary: Vocabulary) -> None:
        self._codes = codes
        self._known = vocabulary.elements
        self._namespaces = {"", *vocabulary.namespaces}
        self._names_list = {tag for _, tag in vocabulary.with_list}
        self._looks: dict[str, _Look] = {}

    def walk(self, root: Element, elements: Iterable[Element]) -> Found:
        """Go over all elements of a document once."""
        found, looks = Found(), self._looks
        remarks = next(root.iter(etree.Comment, etree.ProcessingInstruction), None) is not None
        for element in elements:
            code = element.get(V)
            if code is None:
                text = element.text
                if remarks or ((not text or text[-1] in _BLANKS) and not len(element)):
                    self._look_at_text(element, found)
                continue
            look = looks.get(element.tag) or self._look(str(element.tag))
            if look.plain:
                continue
            oid = element.get(S)
            if (
                oid not in look.fine.get(code, _NONE) and not self._is_fine(look, code.strip(), oid and oid.strip())
            ) or (look.names_list and not (oid and element.get(DN))):
                found.coded.append(Coded.of(element))
        return found

    def _is_fine(self, look: _Look, code: str, oid: str | None) -> bool:
        """Tell whether no rule could object to a code, wherever an element of its name stands."""
        if look.always or code in PERSON_NUMBERS:
            return False
        named = self._codes.by_oid.get(oid) if oid else None
        if named is None:
            return not look.taken or all(any(code in one.codes for one in lists) for lists in look.taken)
        return code in named.codes and (not look.taken or all(named in lists for lists in look.taken))

    def _look(self, tag: str) -> _Look:
        """Learn how to look at a name; only the schemas' own names are kept."""
        name = local(tag)
        always, names_list, taken = name == _TELE_ADDRESS, tag in self._names_list, self._codes.taken_anywhere(name)
        plain = not (always or names_list or taken or name in _TYPES_OF_NUMBER)
        look = _Look(plain, always, names_list, taken, {})
        if name in self._known and namespace_of(tag) in self._namespaces:
            look = self._looks[tag] = replace(look, fine=self._fine(look))
        return look

    def _fine(self, look: _Look) -> dict[str, frozenset[str | None]]:
        """Gather what is in order beforehand: the codes of the lists that an element takes, each with its OIDs."""
        lists = {one.oid: one for lists in look.taken for one in lists}
        return {
            code: frozenset(oid for oid in (None, *lists) if self._is_fine(look, code, oid))
            for one in lists.values()
            for code in one.codes
        }

    def _look_at_text(self, element: Element, found: Found) -> None:
        """Look at an element without text, or with one that ends in blanks; what formats a text (XHTML) is let be."""
        tag = str(element.tag)
        if (
            tag == BASE64_CONTAINER
            or local(tag) not in self._known
            or next(element.iterchildren("{*}*"), None) is not None
        ):
            return
        text = "".join([element.text or "", *(remark.tail or "" for remark in element)])
        if text and not text.isspace():
            if text[-1] in _BLANKS:
                found.blank_at_end.append(element)
        elif not element.keys():
            found.empty.append(element)
