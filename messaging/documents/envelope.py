"""A document's own account of itself: MsgHead and AppRec, read into an Envelope.

Everything is read by its exact place, so that what looks like an address elsewhere is never taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

from lxml import etree

from messaging.documents import names
from messaging.documents.catalogue import MessageKind
from messaging.documents.reader import Element
from messaging.documents.tree import attribute, child, elements, first_of_each, text
from messaging.model.message import APPREC, Address, DispatchStatus, Envelope, Receiver, ReceiverRole
from messaging.model.receipt import Receipt, ReceiptError, ReceiptStatus

_HER_IDS = etree.XPath(
    f"head:Ident[normalize-space(head:TypeId/@V) = '{names.HER}']/head:Id", namespaces={"head": names.MSGHEAD}
)
_HER_ID = re.compile(r"[0-9]{1,10}")
_LARGEST_HER_ID = 2_147_483_647
_DISPATCH = {status.value: status for status in DispatchStatus}
_ROLES = {role.value: role for role in ReceiverRole}
_APPREC_VERSIONS = {names.APPREC_1_0: "1.0", names.APPREC_1_1: "1.1"}


def envelope_of(root: Element, kind: MessageKind | None = None) -> Envelope | None:
    """Read the envelope as far as it can be read, also of a document with faults; None when the root is no message.

    What is missing is empty or None: the rules tell what is wrong with it.
    """
    tag = str(root.tag)
    if tag == names.MSG_HEAD:
        return _of_msghead(root, kind)
    if names.local(tag) == "AppRec" and names.namespace_of(tag) in _APPREC_VERSIONS:
        return _of_apprec(root, names.namespace_of(tag))
    return None


# MsgHead 1.2 (HIS 80601:2006)


def _of_msghead(root: Element, kind: MessageKind | None) -> Envelope:
    info = child(root, names.MSG_INFO)
    parts = first_of_each(info)
    payload = next(payloads(root), None)
    reference = parts.get(names.CONVERSATION_REF)
    msg_id = text(parts.get(names.MSG_ID))
    return Envelope(
        type=attribute(parts.get(names.TYPE), names.V),
        namespace="" if payload is None else names.namespace_of(str(payload.tag)),
        version=kind.version if kind else "",
        msg_id=msg_id,
        gen_date=text(parts.get(names.GEN_DATE)),
        sender=party(child(parts.get(names.SENDER), names.ORGANISATION)),
        receivers=_receivers(info),
        status=_dispatch_status(payload),
        conversation_id=text(child(reference, names.REF_TO_CONVERSATION)) or msg_id or None,
        parent_id=text(child(reference, names.REF_TO_PARENT)) or None,
        processing_status=attribute(parts.get(names.PROCESSING_STATUS), names.V) or "P",
    )


def payloads(root: Element) -> Iterator[Element]:
    """Go through what the first Document of a MsgHead carries; a message has exactly one payload there."""
    content = child(root, names.DOCUMENT, names.REF_DOC, names.CONTENT)
    return iter(()) if content is None else elements(content)


def receivers_of(info: Element | None) -> Iterator[tuple[Element, Receiver]]:
    """Go through the receivers that MsgInfo names as organisations, each with its own Organisation element.

    A copy to the patient, or to a person without an organisation, is not the exchange's to deliver and is left out.
    """
    if info is None:
        return
    for element in info.iterchildren(names.RECEIVER, names.OTHER_RECEIVER):
        organisation = child(element, names.ORGANISATION)
        role = ReceiverRole.PRIMARY
        if element.tag == names.OTHER_RECEIVER:
            role = _ROLES.get(attribute(child(element, names.ROLE_RECEIVER), names.V))  # type: ignore[assignment]
        if organisation is not None and role is not None:
            yield organisation, Receiver(party(organisation), role)


def _receivers(info: Element | None) -> tuple[Receiver, ...]:
    """Name each receiver once; who is both primary and copy receiver is primary."""
    found: dict[int, Receiver] = {}
    for _, receiver in receivers_of(info):
        her_id = receiver.address.her_id
        if her_id is not None and (her_id not in found or receiver.role is ReceiverRole.PRIMARY):
            found[her_id] = receiver
    return tuple(found.values())


def party(organisation: Element | None) -> Address:
    """Read an Organisation of a MsgHead on its two levels (HIS 1153-2): the inner service, or else the person in it.

    A service without a HER-id cannot be known, and its organisation does not stand in for it; a person without one
    only signs for the organisation.
    """
    if organisation is None:
        return Address(None)
    outer_id, outer_name = _her_id(organisation), text(child(organisation, names.ORGANISATION_NAME))
    inner = second_level(organisation)
    inner_id = None if inner is None else _her_id(inner)
    if inner is None or (inner_id is None and inner.tag != names.ORGANISATION):
        return Address(outer_id, None, outer_name)
    return Address(inner_id, outer_id, name_of(inner), outer_name)


def second_level(organisation: Element) -> Element | None:
    """Find who is meant inside an organisation: its service, or its person where no service with a HER-id is named.

    With a service, the person only signs (HIS 80415).
    """
    service = child(organisation, names.ORGANISATION)
    person = child(organisation, names.HEALTHCARE_PROFESSIONAL)
    if service is not None and (person is None or _her_id(service) is not None or _her_id(person) is None):
        return service
    return person


def name_of(element: Element) -> str:
    """Write the name of an organisation, or of a clinician, in one line."""
    if element.tag == names.ORGANISATION:
        return text(child(element, names.ORGANISATION_NAME))
    parts = (text(child(element, tag)) for tag in (names.GIVEN_NAME, names.MIDDLE_NAME, names.FAMILY_NAME))
    return " ".join(part for part in parts if part)


def _her_id(element: Element) -> int | None:
    return _only_her_id({text(found) for found in cast("list[Element]", _HER_IDS(element))})


def _only_her_id(found: set[str]) -> int | None:
    """Read a HER-id; None unless there is exactly one, a whole number from 1 to 2147483647."""
    if len(found) != 1:
        return None
    written = found.pop()
    number = int(written) if _HER_ID.fullmatch(written) else 0
    return number if 0 < number <= _LARGEST_HER_ID else None


def _dispatch_status(payload: Element | None) -> DispatchStatus | None:
    """Read Forsendelsesstatus (PLO) or ServType (Henvisning), list 7309."""
    status = child(payload, names.INFORMASJON_OM_FORSENDELSEN, names.FORSENDELSESSTATUS)
    if status is None:
        status = child(payload, names.SERV_TYPE)
    return _DISPATCH.get(attribute(status, names.V))


# AppRec 1.0 and 1.1 (HIS 80415)


def _of_apprec(root: Element, namespace: str) -> Envelope:
    msg_id = text(_part(root, namespace, "Id"))
    return Envelope(
        type=APPREC,
        namespace=namespace,
        version=_APPREC_VERSIONS[namespace],
        msg_id=msg_id,
        gen_date=text(_part(root, namespace, "GenDate")),
        sender=_hcp(_part(root, namespace, "Sender", "HCP"), namespace),
        receivers=_apprec_receivers(root, namespace),
        conversation_id=msg_id or None,
        receipt=_receipt(root, namespace),
    )


def _part(element: Element | None, namespace: str, *path: str) -> Element | None:
    return child(element, *(names.qualified(namespace, name) for name in path))


def _apprec_receivers(root: Element, namespace: str) -> tuple[Receiver, ...]:
    address = _hcp(_part(root, namespace, "Receiver", "HCP"), namespace)
    return () if address.her_id is None else (Receiver(address),)


def _hcp(hcp: Element | None, namespace: str) -> Address:
    """Read an HCP: an institution with its department or person, or a person alone."""
    outer = _part(hcp, namespace, "Inst")
    if outer is None:
        outer = _part(hcp, namespace, "HCProf")
    if outer is None:
        return Address(None)
    outer_id, outer_name = _apprec_her_id(outer, namespace), text(_part(outer, namespace, "Name"))
    for name in ("Dept", "HCPerson"):
        inner = _part(outer, namespace, name)
        inner_id = None if inner is None else _apprec_her_id(inner, namespace)
        if inner_id is not None:
            return Address(inner_id, outer_id, text(_part(inner, namespace, "Name")), outer_name)
    return Address(outer_id, None, outer_name)


def _apprec_her_id(element: Element, namespace: str) -> int | None:
    more = names.qualified(namespace, "AdditionalId")
    idents = [(element, "TypeId"), *((additional, "Type") for additional in element.iterchildren(more))]
    return _only_her_id(
        {
            text(_part(ident, namespace, "Id"))
            for ident, type_name in idents
            if attribute(_part(ident, namespace, type_name), names.V) == names.HER
        }
    )


def _receipt(root: Element, namespace: str) -> Receipt | None:
    status = ReceiptStatus.of_code(attribute(_part(root, namespace, "Status"), names.V))
    original = _part(root, namespace, "OriginalMsgId")
    if status is None:
        return None
    return Receipt(
        status=status,
        errors=tuple(_error(error) for error in root.iterchildren(names.qualified(namespace, "Error"))),
        original_msg_id=text(_part(original, namespace, "Id")),
        original_type=attribute(_part(original, namespace, "MsgType"), names.V),
        original_gen_date=text(_part(original, namespace, "IssueDate")),
    )


def _error(element: Element) -> ReceiptError:
    """Read one Error; OT is the free text, whose line breaks are kept."""
    return ReceiptError(
        code=attribute(element, names.V),
        text=element.get(names.DN) or "",
        details=element.get(names.OT) or "",
        oid=attribute(element, names.S),
    )
