"""From whom and to whom: HER-ids (HIS 1153-2)."""

from __future__ import annotations

from collections.abc import Iterator

from messaging.documents.document import Document
from messaging.documents.envelope import party
from messaging.model.faults import Fault, FaultCode

_WANTED = "exactly one HER-id (type HER), a whole number"


def sender_is_named(document: Document) -> Iterator[Fault]:
    """E21: the sender has a HER-id, so that the answer finds its way back (HITS 1168 8.2)."""
    if document.envelope.sender.her_id is None:
        inside = ("MsgInfo", "Sender", "Organisation") if document.in_msghead else ("Sender", "HCP")
        yield document.fault(FaultCode.E21, f"The sender cannot be known; expected {_WANTED}.", *inside)


def receiver_is_named(document: Document) -> Iterator[Fault]:
    """E21: the primary receiver has a HER-id (HITS 1168 8.2, tests 17 and 18 of the official system test)."""
    named = bool(document.envelope.receivers)
    if named and document.in_msghead and document.find("MsgInfo", "OtherReceiver") is not None:
        named = party(document.find("MsgInfo", "Receiver", "Organisation")).her_id is not None
    if not named:
        inside = ("MsgInfo", "Receiver", "Organisation") if document.in_msghead else ("Receiver", "HCP")
        yield document.fault(FaultCode.E21, f"The receiver cannot be known; expected {_WANTED}.", *inside)
