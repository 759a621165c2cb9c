"""All that an adapter may know of the exchange: a parcel to deliver, the outcomes it may answer, and how it is opened.

An adapter is one file in `adapters/` (or in a package of its own) that names an `AdapterKind` by an entry point in the
group `messaging.adapters`. Settings name *instances* of a kind, and routes name instances.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from messaging.reach import Reach as Reach  # noqa: PLC0414 - adapters ask for it here


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message for one receiver, to be handed over once more or for the first time.

    `delivery_id` is the same in every attempt, so that the far side can know it again. `content` is the document,
    byte for byte as the sender gave it.
    """

    delivery_id: str
    message_id: str
    msg_id: str
    sender_her_id: int
    receiver_her_id: int
    type: str
    content: bytes
    attempt: int
    is_apprec: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """The far side has it. `receipt` is an AppRec document if the answer carried one; `detail` is for the timeline."""

    detail: str = ""
    receipt: bytes | None = None


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now: try again, not sooner than `retry_after` seconds when the far side said so."""

    reason: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The far side will never take this parcel; trying again is useless."""

    reason: str


Outcome = Sent | Deferred | Refused


@dataclass(frozen=True, slots=True)
class Submission:
    """A document that came in through an adapter: its bytes, and the instance it came through.

    In which HER-ids' names the instance may speak is the operator's to say and the exchange's to judge. `again` says
    that the same bytes may have been submitted before without the verdict being acted on, as after a crash.
    """

    content: bytes
    source: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """The document is kept: it has an id, and `replayed` tells that it was kept before."""

    message_id: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """The document was judged and refused; `faults` are {code, text, line, path}.

    `receipts` are the negative AppRecs that its sender is owed, to go where the instance hands AppRecs over.
    A document that is refused twice is answered once: the second time there are none, unless it came `again`.
    """

    faults: tuple[dict[str, Any], ...]
    receipts: tuple[Parcel, ...] = ()


@dataclass(frozen=True, slots=True)
class NotNow:
    """The exchange cannot keep its promise just now; hand the same bytes in again later."""

    reason: str


Verdict = Accepted | Rejected | NotNow
Submit = Callable[[Submission], Awaitable[Verdict]]
"""Hand a document in; the verdict comes after the commit, so that the adapter can acknowledge its own transport."""


class Adapter(Protocol):
    """An opened adapter instance."""

    async def deliver(self, parcel: Parcel) -> Outcome:
        """Hand one parcel over. May be called with the same parcel again; what it raises counts as Deferred."""
        ...

    async def listen(self, submit: Submit) -> None:
        """Take documents in until cancelled; an adapter that only sends returns at once."""
        ...


@dataclass(frozen=True, slots=True)
class AdapterKind:
    """A kind of adapter: the pydantic model of its settings, and how an instance is opened for its lifetime.

    `open` is called with the instance's name, its settings and whom the exchange may call, and yields the adapter;
    leaving the context closes its connections. An OSError or ValueError while opening tells the operator what to mend,
    and stops the start.
    """

    name: str
    settings: type[Any]
    open: Callable[[str, Any, Reach], AbstractAsyncContextManager[Adapter]]


__all__ = [
    "Accepted",
    "Adapter",
    "AdapterKind",
    "Deferred",
    "NotNow",
    "Outcome",
    "Parcel",
    "Reach",
    "Refused",
    "Rejected",
    "Sent",
    "Submission",
    "Submit",
    "Verdict",
]
