"""The roots that a message may have, and where each keeps what the exchange asks for."""

from __future__ import annotations

from dataclasses import dataclass

from messaging.documents import names
from messaging.documents.names import qualified

Path = tuple[str, ...]
"""Local names from the root down, all in the root's namespace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where one kind of root keeps things.

    `sender` and `receiver` are the elements that hold the address: an Organisation in MsgHead, an HCP elsewhere.
    `body` is the element that a message without MsgHead keeps its content in, empty for the others; `link` is the id
    that a change or a cancellation shares with what it changes or cancels, `answers` the id of what was asked for.
    """

    type: Path
    msg_id: Path
    gen_date: Path
    sender: Path
    receiver: Path
    copies: Path = ()
    patient: Path = ()
    link: Path = ()
    answers: Path = ()
    body: Path = ()


MSGHEAD = Layout(
    type=("MsgInfo", "Type"),
    msg_id=("MsgInfo", "MsgId"),
    gen_date=("MsgInfo", "GenDate"),
    sender=("MsgInfo", "Sender", "Organisation"),
    receiver=("MsgInfo", "Receiver", "Organisation"),
    copies=("MsgInfo", "OtherReceiver", "Organisation"),
    patient=("MsgInfo", "Patient"),
    link=("MsgInfo", "ConversationRef", "RefToConversation"),
)
"""MsgHead 1.2 (HIS 80601:2006)."""

APPREC = Layout(
    type=("MsgType",),
    msg_id=("Id",),
    gen_date=("GenDate",),
    sender=("Sender", "HCP"),
    receiver=("Receiver", "HCP"),
)
"""AppRec 1.0 and 1.1 (HIS 80415)."""

EPIKRISE = Layout(
    type=("Type",),
    msg_id=("MsgId",),
    gen_date=("GenDate",),
    sender=("ServRprt", "ServProvider", "HCP"),
    receiver=("ServRprt", "Requester", "HCP"),
    copies=("ServRprt", "CopyDest", "HCP"),
    patient=("ServRprt", "Patient"),
    link=("ServRprt", "ServProvId"),
    answers=("ServRprt", "ServReq", "Id"),
    body=("ServRprt",),
)
"""Epikrise 1.1 and 1.2 (HIS 80226): who gave the care writes to who asked for it (HIS 80415 3.5)."""

HENVISNING = Layout(
    type=("Type",),
    msg_id=("MsgId",),
    gen_date=("GenDate",),
    sender=("ServReq", "Requester", "HCP"),
    receiver=("ServReq", "ServProvider", "HCP"),
    copies=("ServReq", "CopyDest", "HCP"),
    patient=("ServReq", "Patient"),
    link=("ServReq", "Id"),
    body=("ServReq",),
)
"""Henvisning 1.0 and 1.1 (HIS 80517): who asks for care writes to who shall give it (HIS 80415 3.5)."""

_LAYOUTS = {
    names.MSG_HEAD: MSGHEAD,
    qualified(names.APPREC_1_0, "AppRec"): APPREC,
    qualified(names.APPREC_1_1, "AppRec"): APPREC,
    qualified(names.EPIKRISE_1_1, "Message"): EPIKRISE,
    qualified(names.EPIKRISE_1_2, "Message"): EPIKRISE,
    qualified(names.HENVISNING_1_0, "Message"): HENVISNING,
    qualified(names.HENVISNING_1_1, "Message"): HENVISNING,
}


def layout_of(tag: str) -> Layout | None:
    """Find how a root is laid out, by its qualified name; None when it is no message's."""
    return _LAYOUTS.get(tag)
