"""AppRec 1.0 and 1.1 (HIS 80415) read into an Envelope; apprec.py writes one."""

from __future__ import annotations

from messaging.documents import names
from messaging.documents.addresses import written_address
from messaging.documents.names import namespace_of, qualified
from messaging.documents.reader import Element
from messaging.documents.tree import attribute, child, text
from messaging.model.message import APPREC, Address, Envelope, Receiver
from messaging.model.receipt import Receipt, ReceiptError, ReceiptStatus

_VERSIONS = {names.APPREC_1_0: "1.0", names.APPREC_1_1: "1.1"}


def apprec_envelope(root: Element) -> Envelope:
    """Read an AppRec, and the receipt that it carries."""
    namespace = namespace_of(str(root.tag))
    msg_id = text(_part(root, "Id"))
    receiver = _party(root, "Receiver")
    return Envelope(
        type=APPREC,
        namespace=namespace,
        version=_VERSIONS[namespace],
        msg_id=msg_id,
        gen_date=text(_part(root, "GenDate")),
        sender=_party(root, "Sender"),
        receivers=() if receiver.her_id is None else (Receiver(receiver),),
        conversation_id=msg_id or None,
        receipt=_receipt(root),
    )


def _party(root: Element, name: str) -> Address:
    """Read Sender or Receiver; an institution stands in for its department where that has no HER-id."""
    written = written_address(_part(root, name, "HCP"))
    if written is None:
        return Address(None)
    address = written.address
    return Address(written.outer.her_id, None, written.outer.name) if address.her_id is None else address


def _receipt(root: Element) -> Receipt | None:
    status = ReceiptStatus.of_code(attribute(_part(root, "Status"), names.V))
    original = _part(root, "OriginalMsgId")
    if status is None:
        return None
    return Receipt(
        status=status,
        errors=tuple(_error(error) for error in root.iterchildren(qualified(namespace_of(str(root.tag)), "Error"))),
        original_msg_id=text(_part(original, "Id")),
        original_type=attribute(_part(original, "MsgType"), names.V),
        original_gen_date=text(_part(original, "IssueDate")),
    )


def _error(element: Element) -> ReceiptError:
    """Read one Error; OT is the free text, whose line breaks are kept."""
    return ReceiptError(
        code=attribute(element, names.V),
        text=element.get(names.DN) or "",
        details=element.get(names.OT) or "",
        oid=attribute(element, names.S),
    )


def _part(element: Element | None, *path: str) -> Element | None:
    namespace = "" if element is None else namespace_of(str(element.tag))
    return child(element, *(qualified(namespace, name) for name in path))
