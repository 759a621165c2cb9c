"""The life of a delivery: what is waited for, what can happen, what follows; `docs/lifecycle.md` is made from it."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """What is waited for in one delivery: one message on its way to one receiver."""

    PENDING = "pending"
    """For a worker, now or at due_at."""
    SENDING = "sending"
    """A worker holds the lease and is handing it over; when the lease lapses, it is pending again."""
    SENT = "sent"
    """Handed over to the receiver's system; the AppRec is awaited."""
    WAITING = "waiting"
    """In the receiver's mailbox; nobody has taken it yet."""
    COLLECTED = "collected"
    """Taken from the mailbox; the AppRec is awaited."""
    ACKNOWLEDGED = "acknowledged"
    """Answered with a positive AppRec. Final."""
    REJECTED = "rejected"
    """Answered with a negative AppRec, or refused by the far side. Final."""
    DELIVERED = "delivered"
    """An AppRec that has reached its receiver; nothing answers an AppRec. Final."""
    FAILED = "failed"
    """Given up after the last attempt; an operator resends or closes it."""
    CLOSED = "closed"
    """Closed by an operator with a reason. Final, but a late AppRec is still taken."""
    SUPERSEDED = "superseded"
    """Its change or cancellation was here before it, so it is kept and never handed over. Final."""


class Event(StrEnum):
    """What happened to a delivery, in the past tense."""

    CLAIMED = "claimed"
    HANDED_OVER = "handed_over"
    RECEIPT_HANDED_OVER = "receipt_handed_over"
    DEFERRED = "deferred"
    LEASE_LAPSED = "lease_lapsed"
    GAVE_UP = "gave_up"
    REFUSED_BY_RECEIVER = "refused_by_receiver"
    COLLECTED = "collected"
    ACKNOWLEDGED = "acknowledged"
    REJECTED = "rejected"
    RESENT = "resent"
    CLOSED = "closed"


FINAL: frozenset[State] = frozenset(
    {State.ACKNOWLEDGED, State.REJECTED, State.DELIVERED, State.CLOSED, State.SUPERSEDED}
)
"""Nothing more is waited for."""

_OPEN = (State.PENDING, State.SENDING, State.SENT, State.WAITING, State.COLLECTED, State.FAILED, State.CLOSED)

MOVES: dict[tuple[State, Event], State] = {
    (State.PENDING, Event.CLAIMED): State.SENDING,
    (State.SENDING, Event.HANDED_OVER): State.SENT,
    (State.SENDING, Event.RECEIPT_HANDED_OVER): State.DELIVERED,
    (State.SENDING, Event.DEFERRED): State.PENDING,
    (State.SENDING, Event.LEASE_LAPSED): State.PENDING,
    (State.SENDING, Event.GAVE_UP): State.FAILED,
    (State.SENDING, Event.REFUSED_BY_RECEIVER): State.REJECTED,
    (State.WAITING, Event.COLLECTED): State.COLLECTED,
    (State.FAILED, Event.RESENT): State.PENDING,
    **{(state, Event.ACKNOWLEDGED): State.ACKNOWLEDGED for state in _OPEN},
    **{(state, Event.REJECTED): State.REJECTED for state in _OPEN},
    **{(state, Event.CLOSED): State.CLOSED for state in _OPEN if state not in (State.SENDING, State.CLOSED)},
}
"""Every legal move. What is not here is recorded and moves nothing."""


OWNER: dict[State, str] = {
    State.PENDING: "worker",
    State.SENDING: "worker",
    State.SENT: "receiver",
    State.WAITING: "receiver",
    State.COLLECTED: "receiver",
    State.FAILED: "operator",
    **dict.fromkeys(FINAL, ""),
}
"""Who owes the next step; nobody in a final state."""


def after(state: State, event: Event) -> State | None:
    """Tell which state follows, or None when the event comes too late or twice and moves nothing."""
    return MOVES.get((state, event))


class TransportState(StrEnum):
    """EDI 2.0's transportDeliveryState, derived from the delivery's state and never stored."""

    UNCONFIRMED = "Unconfirmed"
    ACKNOWLEDGED = "Acknowledged"
    REJECTED = "Rejected"
    ABANDONED = "Abandoned"


def transport_state(state: State, *, refused_by_receiver: bool = False) -> TransportState:
    """Derive EDI 2.0's transport state; `refused_by_receiver` tells a refused hand-over from a negative AppRec."""
    if state in (State.PENDING, State.SENDING):
        return TransportState.UNCONFIRMED
    if state is State.FAILED:
        return TransportState.ABANDONED
    if state is State.REJECTED and refused_by_receiver:
        return TransportState.REJECTED
    return TransportState.ACKNOWLEDGED
