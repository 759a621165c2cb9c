"""From whom and to whom: HER-ids and names on two levels (HIS 1153-2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from messaging.documents import names
from messaging.documents.addresses import WrittenAddress, address_of, written_address
from messaging.documents.document import Document
from messaging.documents.reader import Element
from messaging.documents.roots import APPREC
from messaging.documents.rules.declaration import Finding, Words, rule
from messaging.documents.tree import attribute, child
from messaging.model.faults import FaultCode
from messaging.model.message import Address, ReceiverRole
from messaging.model.rules import RuleName, Severity

_SENDER = Words("sender", "avsenderen")
_RECEIVER = Words("receiver", "mottakeren")
_COPY = Words("other receiver", "den andre mottakeren")
_LEVEL_1 = Words("level 1 (the organisation)", "nivå 1 (virksomheten)")
_LEVEL_2 = Words("level 2 (the service or person)", "nivå 2 (tjenesten eller personen)")
_ROLES = {role.value for role in ReceiverRole}


@rule(
    RuleName.SENDER_HER_ID,
    FaultCode.E21,
    Severity.REJECT,
    source="HITS 1168; HIS 1153-2",
    english="The sender cannot be known; expected exactly one HER-id (type HER), a whole number.",
    norwegian="Avsenderen kan ikke kjennes igjen; det skal være nøyaktig én HER-id (type HER), et heltall.",
)
def sender_is_named(document: Document) -> Iterator[Finding]:
    """The sender has a HER-id, so that the answer finds its way back."""
    if document.envelope.sender.her_id is None:
        yield Finding(document.nearest(*document.layout.sender))


@rule(
    RuleName.RECEIVER_HER_ID,
    FaultCode.E21,
    Severity.REJECT,
    source="HITS 1168; HIS 1153-2; official system tests 17 and 18",
    english="The receiver cannot be known; expected exactly one HER-id (type HER), a whole number.",
    norwegian="Mottakeren kan ikke kjennes igjen; det skal være nøyaktig én HER-id (type HER), et heltall.",
)
def receiver_is_named(document: Document) -> Iterator[Finding]:
    """The primary receiver has a HER-id, without which nobody can be given the message."""
    named = bool(document.envelope.receivers)
    if named and document.is_copied:
        named = address_of(document.find(*document.layout.receiver)).her_id is not None
    if not named:
        yield Finding(document.nearest(*document.layout.receiver))


@rule(
    RuleName.TWO_LEVELS,
    FaultCode.E21,
    Severity.REJECT,
    source="HIS 1153-2; HIS 80415 (may be refused); official system tests 17 and 18 (shall be refused)",
    english="The {party} has no HER-id on {level}; expected one on both levels: the organisation, and the service or "
    "person in it.",
    norwegian="Det mangler HER-id på {level} for {party}; den skal stå på begge nivåer: virksomheten, og tjenesten "
    "eller personen i den.",
)
def parties_are_named_on_two_levels(document: Document) -> Iterator[Finding]:
    """Sender and receivers have a HER-id as organisation (level 1) and as service or person in it (level 2)."""
    if _all_well(document, lambda address: bool(address.her_id and address.parent_her_id)):
        return
    for party in _parties(document):
        inner = party.written.inner
        level_1, level_2 = party.written.outer.her_id, None if inner is None else inner.her_id
        known_elsewhere = level_1 is None and level_2 is None and party.who is not _COPY
        if not known_elsewhere and (level_1 is None or level_2 is None):
            yield Finding(party.place, {"party": party.who, "level": _LEVEL_1 if level_1 is None else _LEVEL_2})


@rule(
    RuleName.PARTY_NAMES,
    FaultCode.E21,
    Severity.WARN,
    source="HIS 1153-2; HIS 80601 (Organisation)",
    english="The {party} has no name on {level}; give the names that the address register has.",
    norwegian="Det mangler navn på {level} for {party}; oppgi navnene som står i Adresseregisteret.",
)
def parties_have_names(document: Document) -> Iterator[Finding]:
    """Sender and receivers have a name on both levels, as the address register writes it."""
    if _all_well(document, lambda address: bool(address.name and address.parent_name)):
        return
    for party in _parties(document):
        outer, inner = party.written.outer, party.written.inner
        if not outer.name or (inner is not None and not inner.name):
            yield Finding(party.place, {"party": party.who, "level": _LEVEL_2 if outer.name else _LEVEL_1})


class _Party(NamedTuple):
    who: Words
    place: Element
    written: WrittenAddress


def _all_well(document: Document, fits: Callable[[Address], bool]) -> bool:
    """Look at what the envelope has already read; only where that leaves doubt is every address read again."""
    if document.layout is APPREC:
        return True  # it mirrors the addresses of another message, and is not refused for them
    if document.is_copied:
        return False
    envelope = document.envelope
    return bool(envelope.receivers) and all(map(fits, (envelope.sender, *(r.address for r in envelope.receivers))))


def _parties(document: Document) -> Iterator[_Party]:
    layout = document.layout
    places = [(_SENDER, document.find(*layout.sender)), (_RECEIVER, document.find(*layout.receiver))]
    places += [(_COPY, _holder(element, layout.copies[-1])) for element in document.every(*layout.copies[:-1])]
    for who, place in places:
        written = written_address(place)
        if place is not None and written is not None:
            yield _Party(who, place, written)


def _holder(receiver: Element, name: str) -> Element | None:
    """Find the address of a further receiver; one of another role than PRIM and COP is not the exchange's to reach."""
    role = child(receiver, names.ROLE_RECEIVER)
    if role is not None and attribute(role, names.V) not in _ROLES:
        return None
    return child(receiver, names.qualified(names.namespace_of(str(receiver.tag)), name))
