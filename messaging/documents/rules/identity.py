"""Which message it is: MsgId and what it refers to."""

from __future__ import annotations

from collections.abc import Iterator

from messaging.documents.document import Document
from messaging.model.faults import Fault, FaultCode

LONGEST_ID = 200
"""Characters; a UUID has 36."""


def message_id_is_given(document: Document) -> Iterator[Fault]:
    """E10: a message has an id, in MsgHead/MsgInfo/MsgId or AppRec/Id (HIS 80415 6.3, list 8221)."""
    place = ("MsgInfo", "MsgId") if document.in_msghead else ("Id",)
    if not document.envelope.msg_id:
        yield document.fault(FaultCode.E10, f"{place[-1]} is missing or empty; give the message a new UUID.", *place)
    elif len(document.envelope.msg_id) > LONGEST_ID:
        yield document.fault(FaultCode.E10, f"{place[-1]} is longer than {LONGEST_ID} characters; use a UUID.", *place)


def references_fit(document: Document) -> Iterator[Fault]:
    """E10: what a message refers to has the length of an id (HITS 1218: it is the MsgId of an earlier message)."""
    for name, value in (
        ("RefToParent", document.envelope.parent_id),
        ("RefToConversation", document.envelope.conversation_id),
    ):
        if value and value != document.envelope.msg_id and len(value) > LONGEST_ID:
            text = f"{name} is longer than {LONGEST_ID} characters; it must be the MsgId of an earlier message."
            yield document.fault(FaultCode.E10, text, "MsgInfo", "ConversationRef", name)
