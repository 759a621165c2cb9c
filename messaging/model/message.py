"""A message as its own document tells it: who, to whom, what, which."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from messaging.model.receipt import Receipt

LONGEST_ID = 200
"""Characters of an id that is kept and looked for; a UUID has 36."""

APPREC = "APPREC"
"""The 8279 code of an application receipt."""


class ReceiverRole(StrEnum):
    """List 8112, the two roles that the standards use: primary receiver and copy receiver."""

    PRIMARY = "PRIM"
    COPY = "COP"


class DispatchStatus(StrEnum):
    """Forsendelsesstatus, list 7309: only these three may be used (HISD 1154)."""

    NEW = "N"
    CHANGE = "M"
    CANCELLATION = "C"

    @classmethod
    def of_code(cls, code: str) -> DispatchStatus | None:
        """Read a code of list 7309; None when it is none of the three."""
        return _STATUSES.get(code)


_STATUSES = {status.value: status for status in DispatchStatus}


@dataclass(frozen=True, slots=True)
class Address:
    """A communication party as a document names it, on two levels (HIS 1153-2).

    `her_id` is level 2, the service or person (kommunikasjonspart); where the document has one level only, it is that.
    `parent_her_id` is level 1, the organisation (virksomhet).
    """

    her_id: int | None
    parent_her_id: int | None = None
    name: str = ""
    parent_name: str = ""


@dataclass(frozen=True, slots=True)
class Receiver:
    """One receiver of a message, and in which role."""

    address: Address
    role: ReceiverRole = ReceiverRole.PRIMARY


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the exchange needs to know of a document, read from the document itself.

    `type` is the 8279 code, `version` the version of the payload's standard, `gen_date` the document's own text.
    `conversation_id` is RefToConversation, or the message's own MsgId when it opens a conversation; without MsgHead it
    is `link`. `parent_id` is RefToParent; in an Epikrise it is the id of the referral that it answers (HISD 1154).
    `link` is the id that a message shares with those it changes or cancels (HISD 1154), None in a receipt.
    `receipt` is there only in an AppRec whose status is one of list 8258.
    """

    type: str
    namespace: str
    version: str
    msg_id: str
    gen_date: str
    sender: Address
    receivers: tuple[Receiver, ...]
    status: DispatchStatus | None = None
    conversation_id: str | None = None
    parent_id: str | None = None
    processing_status: str = "P"
    receipt: Receipt | None = None
    link: str | None = None

    @property
    def is_apprec(self) -> bool:
        """Whether the document is an application receipt, also one whose status cannot be read."""
        return self.type == APPREC
