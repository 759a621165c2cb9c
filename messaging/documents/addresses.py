"""Addresses on two levels (HIS 1153-2): an Organisation in MsgHead; an HCP in AppRec, Epikrise 1.x and Henvisning 1.x.

Both are read into one form, which tells who is meant, and holds what a receipt mirrors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from messaging.documents import names
from messaging.documents.names import local, namespace_of, qualified
from messaging.documents.reader import Element
from messaging.documents.tree import Children, attribute, child, children_of, every_child, first, text
from messaging.model.message import Address, Receiver, ReceiverRole

_HER_ID = re.compile(r"[0-9]{1,10}")
_LARGEST_HER_ID = 2_147_483_647


class Ident(NamedTuple):
    """One identifier, with the code and the text of its type (lists 9051 and 8116)."""

    id: str
    type: str
    type_name: str


Kind = Literal["Inst", "HCProf", "Dept", "HCPerson"]
"""What a level of an address is, by the name that HCP gives it."""


class Level(NamedTuple):
    """One level of an address.

    `her_id` is None unless there is exactly one, a whole number from 1 to 2147483647.
    """

    kind: Kind
    name: str
    her_id: int | None
    element: Element

    @property
    def idents(self) -> tuple[Ident, ...]:
        """Every identifier, in the order in which they stand."""
        in_msghead = namespace_of(str(self.element.tag)) == names.MSGHEAD
        return tuple(_msghead_idents(self.element) if in_msghead else _hcp_idents(self.element))


class WrittenAddress(NamedTuple):
    """An address as it is written: level 1, who is meant on level 2 if anybody, and the postal address."""

    outer: Level
    inner: Level | None
    postal: Element | None

    @property
    def address(self) -> Address:
        """Who is meant: the inner service, or else the person in it.

        A service without a HER-id cannot be known, and its organisation does not stand in for it; a person without one
        only signs for the organisation.
        """
        outer, inner = self.outer, self.inner
        if inner is None or (inner.her_id is None and inner.kind == "HCPerson"):
            return Address(outer.her_id, None, outer.name)
        return Address(inner.her_id, outer.her_id, inner.name, outer.name)


NamedReceiver = tuple[WrittenAddress, Receiver]


def written_address(holder: Element | None) -> WrittenAddress | None:
    """Read an Organisation of a MsgHead or an HCP; None where there is none."""
    if holder is None:
        return None
    return _of_hcp(holder) if local(str(holder.tag)) == "HCP" else _of_organisation(holder)


def address_of(holder: Element | None) -> Address:
    """Tell who is meant by an Organisation of a MsgHead or an HCP; nobody where there is none."""
    written = written_address(holder)
    return Address(None) if written is None else written.address


def each_once(found: Iterable[NamedReceiver]) -> tuple[Receiver, ...]:
    """Name each receiver once, and only those with a HER-id; who is both primary and copy receiver is primary."""
    receivers: dict[int, Receiver] = {}
    for _, receiver in found:
        her_id = receiver.address.her_id
        if her_id is not None and (her_id not in receivers or receiver.role is ReceiverRole.PRIMARY):
            receivers[her_id] = receiver
    return tuple(receivers.values())


def _who_is_meant(services: list[Level], persons: list[Level]) -> Level | None:
    """Find who is meant on level 2: a service, or a person where no service with a HER-id is named.

    With a service, the person only signs (HIS 80415).
    """
    levels = services + persons
    for level in levels:
        if level.her_id is not None:
            return level
    return levels[0] if levels else None


def _her_id(ids: Sequence[Element]) -> int | None:
    """Read the HER-id from the elements that may hold one."""
    written = text(ids[0]) if ids else ""
    if any(text(other) != written for other in ids[1:]):
        return None
    number = int(written) if _HER_ID.fullmatch(written) else 0
    return number if 0 < number <= _LARGEST_HER_ID else None


def _is_her(kind: Element | None) -> bool:
    return kind is not None and (kind.get(names.V) or "").strip(" \t\r\n") == names.HER


# Organisation in MsgHead


def _of_organisation(organisation: Element) -> WrittenAddress:
    parts = children_of(organisation)
    services = [_service(inner, "Dept", children_of(inner)) for inner in parts.get(names.ORGANISATION, ())]
    persons = [_professional(inner) for inner in parts.get(names.HEALTHCARE_PROFESSIONAL, ())]
    outer = _service(organisation, "Inst", parts)
    return WrittenAddress(outer, _who_is_meant(services, persons), first(parts, names.ADDRESS))


def _service(organisation: Element, kind: Kind, parts: Children) -> Level:
    return Level(kind, text(first(parts, names.ORGANISATION_NAME)), _her_id(_msghead_her_ids(parts)), organisation)


def _professional(person: Element) -> Level:
    parts = children_of(person)
    name = (text(first(parts, tag)) for tag in (names.GIVEN_NAME, names.MIDDLE_NAME, names.FAMILY_NAME))
    return Level("HCPerson", " ".join(filter(None, name)), _her_id(_msghead_her_ids(parts)), person)


def _msghead_her_ids(parts: Children) -> list[Element]:
    found: list[Element] = []
    for ident in parts.get(names.IDENT, ()):
        if _is_her(child(ident, names.TYPE_ID)):
            found += every_child(ident, names.ID)
    return found


def _msghead_idents(element: Element) -> Iterator[Ident]:
    for ident in element.iterchildren(names.IDENT):
        yield _ident(child(ident, names.ID), child(ident, names.TYPE_ID))


# HCP in AppRec and Message


def _of_hcp(hcp: Element) -> WrittenAddress | None:
    namespace = namespace_of(str(hcp.tag))
    parts = children_of(hcp)
    postal = first(parts, qualified(namespace, "Address"))
    institution = first(parts, qualified(namespace, "Inst"))
    if institution is not None:
        inside = children_of(institution)
        services = [_hcp_level(inner, "Dept") for inner in inside.get(qualified(namespace, "Dept"), ())]
        persons = [_hcp_level(inner, "HCPerson") for inner in inside.get(qualified(namespace, "HCPerson"), ())]
        return WrittenAddress(_hcp_level(institution, "Inst"), _who_is_meant(services, persons), postal)
    professional = first(parts, qualified(namespace, "HCProf"))
    return None if professional is None else WrittenAddress(_hcp_level(professional, "HCProf"), None, postal)


def _hcp_level(element: Element, kind: Kind) -> Level:
    namespace, parts = namespace_of(str(element.tag)), children_of(element)
    name = text(first(parts, qualified(namespace, "Name")))
    return Level(kind, name, _her_id([*_hcp_her_ids(parts, namespace)]), element)


def _hcp_her_ids(parts: Children, namespace: str) -> Iterator[Element]:
    if _is_her(first(parts, qualified(namespace, "TypeId"))):
        yield from parts.get(qualified(namespace, "Id"), ())
    for more in map(children_of, parts.get(qualified(namespace, "AdditionalId"), ())):
        if _is_her(first(more, qualified(namespace, "Type"))):
            yield from more.get(qualified(namespace, "Id"), ())


def _hcp_idents(element: Element) -> Iterator[Ident]:
    namespace = namespace_of(str(element.tag))
    own = child(element, qualified(namespace, "Id"))
    if own is not None:
        yield _ident(own, child(element, qualified(namespace, "TypeId")))
    for more in element.iterchildren(qualified(namespace, "AdditionalId")):
        yield _ident(child(more, qualified(namespace, "Id")), child(more, qualified(namespace, "Type")))


def _ident(written: Element | None, kind: Element | None) -> Ident:
    return Ident(text(written), attribute(kind, names.V), attribute(kind, names.DN))
