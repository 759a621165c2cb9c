"""What an application receipt says."""

from __future__ import annotations

from collections.abc import Iterator

from messaging.documents.document import Document
from messaging.documents.roots import APPREC
from messaging.documents.rules.declaration import Finding, rule
from messaging.model.faults import FaultCode
from messaging.model.rules import RuleName, Severity


@rule(
    RuleName.RECEIPT_STATUS,
    FaultCode.T02,
    Severity.REJECT,
    source="HIS 80415 (Status); list 8258",
    english="Status must have V 1 (OK), 2 (avvist) or 3 (OK, feil i delmelding), the codes of list 8258.",
    norwegian="Status må ha V 1 (OK), 2 (avvist) eller 3 (OK, feil i delmelding), kodene i kodeverk 8258.",
)
def receipt_status_is_known(document: Document) -> Iterator[Finding]:
    """An AppRec's status is one of list 8258; another one cannot be acted on.

    A status 2 without an Error is taken: systems send it, and the answer is plain all the same.
    """
    if document.layout is APPREC and document.envelope.receipt is None:
        yield Finding(document.nearest("Status"))
