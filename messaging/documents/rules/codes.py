"""Coded values: each from its list, and with the list and the text beside it (HISD 1165)."""

from __future__ import annotations

from collections.abc import Iterator

from messaging.documents.codelists import CodeList
from messaging.documents.document import Document
from messaging.documents.names import DN, S
from messaging.documents.reader import Element
from messaging.documents.rules.declaration import Finding, Words, as_one, rule
from messaging.documents.survey import Coded
from messaging.model.faults import FaultCode
from messaging.model.rules import RuleName, Severity

_NO_GROUND = "HITS 1168: an invalid code is no ground for a negative AppRec"


@rule(
    RuleName.CODE_IN_LIST,
    FaultCode.X99,
    Severity.WARN,
    source=f"the code lists of each standard; {_NO_GROUND}",
    english="The code of {element} is not one of {lists}.",
    norwegian="Koden i {element} finnes ikke i {lists}.",
)
def codes_are_in_their_lists(document: Document) -> Iterator[Finding]:
    """A code is one of the list that it names, or of the list that its element takes its codes from."""
    wrong: dict[tuple[str, tuple[int, ...]], list[Element]] = {}
    for coded in document.found.coded:
        lists = _lists_of(document, coded)
        if lists and not any(coded.code in found.codes for found in lists):
            wrong.setdefault((coded.name, tuple(found.number for found in lists)), []).append(coded.element)
    for (name, numbers), places in wrong.items():
        yield from as_one(places, {"element": name, "lists": _lists_in_words(numbers)})


def _lists_of(document: Document, coded: Coded) -> tuple[CodeList, ...]:
    """Find the lists that a code may be of: the one that it names if the element takes it, or those of the element."""
    taken = document.codes.taken_by(coded.parent, coded.name)
    names_list = (coded.parent, coded.tag) in document.vocabulary.with_list
    named = document.codes.by_oid.get(coded.oid) if coded.oid and names_list else None
    if named is not None and (not taken or named in taken):
        return (named,)
    return taken


def _lists_in_words(numbers: tuple[int, ...]) -> Words:
    listed = [str(number) for number in numbers]
    if len(listed) == 1:
        return Words(f"list {listed[0]}", f"kodeverk {listed[0]}")
    return Words(f"the lists {' and '.join(listed)}", f"kodeverkene {' og '.join(listed)}")


@rule(
    RuleName.CODE_ATTRIBUTES,
    FaultCode.X99,
    Severity.WARN,
    source=f"HISD 1165; {_NO_GROUND}",
    english="The coded value {element} has no {attribute}; beside V it has S, the OID of its list, and DN, its text.",
    norwegian="Den kodede verdien {element} mangler {attribute}; ved siden av V skal den ha S, kodeverkets OID, og DN, "
    "teksten.",
)
def coded_values_are_whole(document: Document) -> Iterator[Finding]:
    """A coded value of the kind CV names its list (S) and its text (DN) beside its code (V)."""
    lacking: dict[tuple[str, str], list[Element]] = {}
    for coded in document.found.coded:
        if (coded.oid and coded.text) or (coded.parent, coded.tag) not in document.vocabulary.with_list:
            continue
        for attribute, value in ((S, coded.oid), (DN, coded.text)):
            if not value:
                lacking.setdefault((coded.name, attribute), []).append(coded.element)
    for (name, attribute), places in lacking.items():
        yield from as_one(places, {"element": name, "attribute": attribute})
