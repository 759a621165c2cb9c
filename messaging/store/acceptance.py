"""What taking one message in writes: pure rows, decided before any transaction is open."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from messaging.model.receipt import Receipt
from messaging.store import audit, notifications
from messaging.store import tables as t


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an AppRec settles: the delivery of the original message to the receiver that answers."""

    original_id: UUID
    receiver_her_id: int
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Acceptance:
    """All that is written when one message is taken in; the first line is that of the message itself."""

    message: t.Row
    payload: t.Row
    key: t.Row
    deliveries: tuple[t.Row, ...]
    notices: tuple[notifications.Notice, ...]
    lines: tuple[audit.Line, ...]
    settlement: Settlement | None = None
