"""Which message it is: MsgId, what it refers to, and when it was written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from messaging.documents.document import Document
from messaging.documents.rules.declaration import Finding, rule
from messaging.model.clock import instant_of
from messaging.model.faults import FaultCode
from messaging.model.message import LONGEST_ID
from messaging.model.rules import RuleName, Severity

OLDEST = timedelta(days=5 * 365)
AHEAD = timedelta(days=1)

_UUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")


@rule(
    RuleName.MSG_ID,
    FaultCode.E10,
    Severity.REJECT,
    source="HITS 1168; HIS 80601 (MsgId)",
    english="{element} is missing, empty or longer than {longest} characters; give the message a new UUID.",
    norwegian="{element} mangler, er tom eller lengre enn {longest} tegn; gi meldingen en ny UUID.",
)
def message_id_is_given(document: Document) -> Iterator[Finding]:
    """A message has an id, in MsgId or in an AppRec's Id."""
    if not 0 < len(document.envelope.msg_id) <= LONGEST_ID:
        place = document.layout.msg_id
        yield Finding(document.nearest(*place), {"element": place[-1], "longest": str(LONGEST_ID)})


@rule(
    RuleName.MSG_ID_UUID,
    FaultCode.E10,
    Severity.REJECT,
    source="HITS 1168; HIS 80601 (MsgId); official system test 28",
    english="{element} must be a UUID, such as 5f5e94d5-d908-476b-a172-a241c52eddb6; give the message a new one.",
    norwegian="{element} må være en UUID, som 5f5e94d5-d908-476b-a172-a241c52eddb6; gi meldingen en ny.",
)
def message_id_is_a_uuid(document: Document) -> Iterator[Finding]:
    """The id of a message is a UUID."""
    msg_id = document.envelope.msg_id
    if 0 < len(msg_id) <= LONGEST_ID and not _UUID.fullmatch(msg_id):
        place = document.layout.msg_id
        yield Finding(document.nearest(*place), {"element": place[-1]})


@rule(
    RuleName.REFERENCES,
    FaultCode.E10,
    Severity.REJECT,
    source="HITS 1218",
    english="{element} is longer than {longest} characters; it must be the MsgId of an earlier message.",
    norwegian="{element} er lengre enn {longest} tegn; det må være MsgId til en tidligere melding.",
)
def references_fit(document: Document) -> Iterator[Finding]:
    """What a message refers to has the length of an id."""
    envelope = document.envelope
    for name, value in (("RefToParent", envelope.parent_id), ("RefToConversation", envelope.conversation_id)):
        if value and value != envelope.msg_id and len(value) > LONGEST_ID:
            place = document.nearest("MsgInfo", "ConversationRef", name)
            yield Finding(place, {"element": name, "longest": str(LONGEST_ID)})


@rule(
    RuleName.GEN_DATE,
    FaultCode.X99,
    Severity.WARN,
    source="HITS 1168: the 96 hours for the AppRec are counted from GenDate",
    english=(
        "GenDate is no plausible time to have written the message: it is more than a day ahead, more than five years "
        "back, or no whole date and time; look at the sending system's clock."
    ),
    norwegian=(
        "GenDate er ikke et rimelig tidspunkt for når meldingen ble laget: mer enn et døgn fram i tid, mer enn fem år "
        "tilbake, eller ikke en hel dato med klokkeslett; se på klokken i avsendersystemet."
    ),
)
def written_lately(document: Document) -> Iterator[Finding]:
    """A message was written at most five years ago, and not tomorrow."""
    if document.now is None or not document.envelope.gen_date:
        return
    written = instant_of(document.envelope.gen_date)
    if written is None or not document.now - OLDEST <= written <= document.now + AHEAD:
        yield Finding(document.nearest(*document.layout.gen_date))
