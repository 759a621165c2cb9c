"""MsgHead 1.2 (HIS 80601:2006) read into an Envelope."""

from __future__ import annotations

from collections.abc import Iterator

from messaging.documents import names
from messaging.documents.addresses import NamedReceiver, address_of, each_once, written_address
from messaging.documents.catalogue import MessageKind
from messaging.documents.reader import Element
from messaging.documents.tree import attribute, child, child_named, elements, first_of_each, text
from messaging.model.message import DispatchStatus, Envelope, Receiver, ReceiverRole

_ROLES = {role.value: role for role in ReceiverRole}


def msghead_envelope(root: Element, kind: MessageKind | None) -> Envelope:
    """Read a MsgHead, and the status that its payload tells."""
    info = child(root, names.MSG_INFO)
    parts = first_of_each(info)
    payload = next(payloads(root), None)
    reference = parts.get(names.CONVERSATION_REF)
    msg_id = text(parts.get(names.MSG_ID))
    conversation = text(child(reference, names.REF_TO_CONVERSATION)) or msg_id or None
    return Envelope(
        type=attribute(parts.get(names.TYPE), names.V),
        namespace="" if payload is None else names.namespace_of(str(payload.tag)),
        version=kind.version if kind else "",
        msg_id=msg_id,
        gen_date=text(parts.get(names.GEN_DATE)),
        sender=address_of(child(parts.get(names.SENDER), names.ORGANISATION)),
        receivers=each_once(msghead_receivers(info)),
        status=DispatchStatus.of_code(attribute(dispatch_status(payload), names.V)),
        conversation_id=conversation,
        parent_id=text(child(reference, names.REF_TO_PARENT)) or None,
        processing_status=attribute(parts.get(names.PROCESSING_STATUS), names.V) or "P",
        link=conversation,
    )


def payloads(root: Element) -> Iterator[Element]:
    """Go through what the first Document of a MsgHead carries; a message has exactly one payload there."""
    content = child(root, names.DOCUMENT, names.REF_DOC, names.CONTENT)
    return iter(()) if content is None else elements(content)


def msghead_receivers(info: Element | None) -> Iterator[NamedReceiver]:
    """Go through the receivers that MsgInfo names as organisations.

    A copy to the patient, or to a person without an organisation, is not the exchange's to deliver and is left out.
    """
    if info is None:
        return
    for element in info:
        if element.tag == names.RECEIVER:
            role = ReceiverRole.PRIMARY
        elif element.tag == names.OTHER_RECEIVER:
            role = _ROLES.get(attribute(child(element, names.ROLE_RECEIVER), names.V))  # type: ignore[assignment]
        else:
            continue
        written = written_address(child(element, names.ORGANISATION))
        if written is not None and role is not None:
            yield written, Receiver(written.address, role)


def dispatch_status(payload: Element | None) -> Element | None:
    """Find Forsendelsesstatus (PLO; 2.0 keeps it one level further down) or ServType (the others), list 7309."""
    common = child_named(payload, names.FELLES_ADMINISTRATIVE_OPPLYSNINGER)
    within = payload if common is None else common
    status = child_named(within, names.INFORMASJON_OM_FORSENDELSEN, names.FORSENDELSESSTATUS)
    return child_named(payload, names.SERV_TYPE) if status is None else status
