"""Addresses on two levels (HIS 1153-2): an Organisation in MsgHead; an HCP in AppRec, Epikrise 1.x and Henvisning 1.x.

Both are read into one form, which tells who is meant, and holds what a receipt mirrors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Literal, NamedTuple, cast

from lxml import etree

from messaging.documents import names
from messaging.documents.names import local, namespace_of, qualified
from messaging.documents.reader import Element
from messaging.documents.tree import attribute, child, first_of_each, text
from messaging.model.message import Address, Receiver, ReceiverRole

_HER_ID = re.compile(r"[0-9]{1,10}")
_LARGEST_HER_ID = 2_147_483_647


class Ident(NamedTuple):
    """One identifier, with the code and the text of its type (lists 9051 and 8116)."""

    id: str
    type: str
    type_name: str


class Level(NamedTuple):
    """One level of an address; `kind` is the name that HCP gives it.

    `her_id` is None unless there is exactly one, a whole number from 1 to 2147483647.
    """

    kind: Literal["Inst", "HCProf", "Dept", "HCPerson"]
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
    known = next((level for level in services + persons if level.her_id is not None), None)
    return known or next(iter(services + persons), None)


def _her_id(element: Element, path: etree.XPath) -> int | None:
    her_ids = {text(found) for found in cast("list[Element]", path(element))}
    written = her_ids.pop() if len(her_ids) == 1 else ""
    number = int(written) if _HER_ID.fullmatch(written) else 0
    return number if 0 < number <= _LARGEST_HER_ID else None


# Organisation in MsgHead

_MSGHEAD_HER_IDS = etree.XPath(
    f"head:Ident[normalize-space(head:TypeId/@V) = '{names.HER}']/head:Id", namespaces={"head": names.MSGHEAD}
)


def _of_organisation(organisation: Element) -> WrittenAddress:
    services = [_service(inner, "Dept") for inner in organisation.iterchildren(names.ORGANISATION)]
    persons = [_professional(inner) for inner in organisation.iterchildren(names.HEALTHCARE_PROFESSIONAL)]
    outer = _service(organisation, "Inst")
    return WrittenAddress(outer, _who_is_meant(services, persons), child(organisation, names.ADDRESS))


def _service(organisation: Element, kind: Literal["Inst", "Dept"]) -> Level:
    name = text(child(organisation, names.ORGANISATION_NAME))
    return Level(kind, name, _her_id(organisation, _MSGHEAD_HER_IDS), organisation)


def _professional(person: Element) -> Level:
    parts = (text(child(person, tag)) for tag in (names.GIVEN_NAME, names.MIDDLE_NAME, names.FAMILY_NAME))
    return Level("HCPerson", " ".join(part for part in parts if part), _her_id(person, _MSGHEAD_HER_IDS), person)


def _msghead_idents(element: Element) -> Iterator[Ident]:
    for ident in element.iterchildren(names.IDENT):
        yield _ident(child(ident, names.ID), child(ident, names.TYPE_ID))


# HCP in AppRec and Message


@cache
def _hcp_her_ids(namespace: str) -> etree.XPath:
    """Find the HER-ids of an Inst, Dept or person, in one of the namespaces whose roots are known."""
    return etree.XPath(
        f"hcp:Id[normalize-space(../hcp:TypeId/@V) = '{names.HER}']"
        f" | hcp:AdditionalId[normalize-space(hcp:Type/@V) = '{names.HER}']/hcp:Id",
        namespaces={"hcp": namespace},
    )


def _of_hcp(hcp: Element) -> WrittenAddress | None:
    namespace = namespace_of(str(hcp.tag))
    parts = first_of_each(hcp)
    postal = parts.get(qualified(namespace, "Address"))
    institution = parts.get(qualified(namespace, "Inst"))
    if institution is not None:
        services = [_hcp_level(inner, "Dept") for inner in institution.iterchildren(qualified(namespace, "Dept"))]
        persons = [
            _hcp_level(inner, "HCPerson") for inner in institution.iterchildren(qualified(namespace, "HCPerson"))
        ]
        return WrittenAddress(_hcp_level(institution, "Inst"), _who_is_meant(services, persons), postal)
    professional = parts.get(qualified(namespace, "HCProf"))
    return None if professional is None else WrittenAddress(_hcp_level(professional, "HCProf"), None, postal)


def _hcp_level(element: Element, kind: Literal["Inst", "HCProf", "Dept", "HCPerson"]) -> Level:
    namespace = namespace_of(str(element.tag))
    return Level(
        kind, text(child(element, qualified(namespace, "Name"))), _her_id(element, _hcp_her_ids(namespace)), element
    )


def _hcp_idents(element: Element) -> Iterator[Ident]:
    namespace = namespace_of(str(element.tag))
    own = child(element, qualified(namespace, "Id"))
    if own is not None:
        yield _ident(own, child(element, qualified(namespace, "TypeId")))
    for more in element.iterchildren(qualified(namespace, "AdditionalId")):
        yield _ident(child(more, qualified(namespace, "Id")), child(more, qualified(namespace, "Type")))


def _ident(written: Element | None, kind: Element | None) -> Ident:
    return Ident(text(written), attribute(kind, names.V), attribute(kind, names.DN))
