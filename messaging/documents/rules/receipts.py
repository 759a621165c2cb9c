"""What an application receipt says."""

from __future__ import annotations

from collections.abc import Iterator

from messaging.documents.document import Document
from messaging.model.faults import Fault, FaultCode


def receipt_status_is_known(document: Document) -> Iterator[Fault]:
    """T02: an AppRec's status is one of list 8258; another one cannot be acted on (HIS 80415).

    A status 2 without an Error is taken: systems send it, and the answer is plain all the same.
    """
    if not document.in_msghead and document.envelope.receipt is None:
        text = "Status must have V 1 (OK), 2 (avvist) or 3 (OK, feil i delmelding), the codes of list 8258."
        yield document.fault(FaultCode.T02, text, "Status")
