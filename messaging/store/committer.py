"""Group commit: what has arrived is written in one transaction, and each caller hears of its own message afterwards.

While one group is being committed the next one gathers; nobody waits for more to come. If a group fails for one of its
members, the members are committed one by one, so that one poison message never fails its neighbours.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_, update

from messaging.errors import DatabaseUnavailable, TransactionConflict
from messaging.model.audit import AuditEvent
from messaging.model.lifecycle import Event
from messaging.model.receipt import ReceiptStatus
from messaging.model.sight import EVERYTHING
from messaging.store import audit, deliveries, notifications, rows, succession
from messaging.store import tables as t
from messaging.store import tables_of_keys as keys
from messaging.store.acceptance import Acceptance, Settlement
from messaging.store.session import Database, WriteTx
from messaging.traces import span

_LONG = 1 << 20
"""From so many bytes of documents on, a group is not written while all else waits."""


class Standing(StrEnum):
    """How a message stands after the commit."""

    KEPT = "kept"
    REPLAYED = "replayed"
    """The same sender has sent the same MsgId with the same bytes before."""
    CONFLICTED = "conflicted"
    """The same sender has sent the same MsgId with other bytes before."""
    ALREADY_ANSWERED = "already_answered"
    """An AppRec for a message that its sender has answered before; the first one stands."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The durable answer: the message that stands, and how this one relates to it."""

    message_id: UUID
    standing: Standing
    received_at: datetime
    warnings: tuple[dict[str, Any], ...] = ()
    """What the sender was told of it beside the acceptance, as it is kept with the message."""


@dataclass(slots=True)
class _Waiting:
    acceptance: Acceptance
    done: asyncio.Future[Committed] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Committer:
    """Writes acceptances in groups of at most `most`; one runs in each process."""

    def __init__(self, database: Database, *, most: int = 64) -> None:
        self._database = database
        self._most = most
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(maxsize=most * 16)
        self.sizes: Counter[int] = Counter()
        """How many groups of each size this process has committed."""

    async def commit(self, acceptance: Acceptance) -> Committed:
        """Write one acceptance durably. Raises DatabaseUnavailable when it is not known to be kept."""
        waiting = _Waiting(acceptance)
        await self._queue.put(waiting)
        return await waiting.done

    async def run(self) -> None:
        """Commit groups until cancelled; who still waits then is told to repeat."""
        try:
            while True:
                group = [await self._queue.get()]
                while len(group) < self._most and not self._queue.empty():
                    group.append(self._queue.get_nowait())
                await self._settle(group)
        finally:
            while not self._queue.empty():
                _fail([self._queue.get_nowait()], _stopping())

    async def _settle(self, group: list[_Waiting]) -> None:
        try:
            await self._answer(group)
        except Exception as error:  # noqa: BLE001 - whatever one member does, its neighbours are committed
            away = isinstance(error, DatabaseUnavailable) and not isinstance(error, TransactionConflict)
            if away or len(group) == 1:
                _fail(group, error)
                return
            for waiting in group:
                await self._settle([waiting])
        except BaseException:
            _fail(group, _stopping())
            raise

    async def _answer(self, group: list[_Waiting]) -> None:
        with span("commit", messages=len(group)):
            answers = await self._write([waiting.acceptance for waiting in group])
        self.sizes[len(group)] += 1
        for waiting, answer in zip(group, answers, strict=True):
            if not waiting.done.done():
                waiting.done.set_result(answer)

    async def _write(self, group: Sequence[Acceptance]) -> list[Committed]:
        is_long = sum(len(acceptance.payload["content"]) for acceptance in group) > _LONG
        return await self._database.write_at_once(EVERYTHING, partial(_write, group), is_long=is_long)


async def _write(group: Sequence[Acceptance], tx: WriteTx) -> list[Committed]:
    await succession.hold(tx, [acceptance.message for acceptance in group])
    kept = await _accept(tx, group)
    new = await succession.settle(tx, [a for a in group if a.message["id"] in kept])
    await _insert(tx, new)
    for acceptance in sorted(new, key=_settled_first):
        if acceptance.settlement is not None:
            await _settle_original(tx, acceptance, acceptance.settlement)
    standing = await _standing(tx, [a for a in group if a.message["id"] not in kept])
    await _record_repeats(tx, group, standing)
    return [standing.get(a.message["id"]) or _kept(a) for a in group]


def _settled_first(acceptance: Acceptance) -> tuple[str, int]:
    """Order what is settled, so that two processes that settle the same deliveries do not wait in a circle."""
    settlement = acceptance.settlement
    return (str(settlement.original_id), settlement.receiver_her_id) if settlement else ("", 0)


def _kept(acceptance: Acceptance) -> Committed:
    row = acceptance.message
    return Committed(row["id"], Standing.KEPT, row["received_at"], tuple(row["warnings"]))


def _stopping() -> DatabaseUnavailable:
    return DatabaseUnavailable("The exchange is stopping; repeat the same request in a moment.")


def _fail(group: Sequence[_Waiting], error: BaseException) -> None:
    for waiting in group:
        if not waiting.done.done():
            waiting.done.set_exception(error)


_ACCEPTED = tuple(column.name for column in t.accepted.c)


async def _accept(tx: WriteTx, group: Sequence[Acceptance]) -> set[UUID]:
    """Keep what answers a repetition; gives the ids of those messages that are none."""
    # Sorted, so that two processes that take in the same messages wait for each other in one order only.
    wanted = sorted((a.message for a in group), key=lambda row: (row["sender_her_id"], row["msg_id"]))
    return await rows.insert_new(tx, t.accepted, [{name: row[name] for name in _ACCEPTED} for row in wanted])


async def _insert(tx: WriteTx, new: Sequence[Acceptance]) -> None:
    if not new:
        return
    at, notices = new[0].message["received_at"], [notice for a in new for notice in a.notices]
    await rows.insert(
        tx,
        (t.message, [a.message for a in new]),
        (t.payload, [a.payload for a in new]),
        (keys.payload_key, [a.key for a in new]),
        (t.delivery, [row for a in new for row in a.deliveries]),
        (t.audit, [line.row() for a in new for line in a.lines]),
        (t.notification, notifications.rows_of(tx, at, notices)),
    )


async def _settle_original(tx: WriteTx, acceptance: Acceptance, settlement: Settlement) -> None:
    held = await deliveries.find(tx, settlement.original_id, settlement.receiver_her_id)
    if held is None:
        raise LookupError("an AppRec settles a delivery that does not exist")
    receipt = settlement.receipt
    positive = receipt.status is not ReceiptStatus.REJECTED
    kept = {
        "receipt_status": receipt.status.value,
        # Codes alone: the words are the receiver's, may name the patient, and stay in the encrypted AppRec.
        "receipt_errors": [{"code": e.code, "text": "", "details": "", "oid": e.oid} for e in receipt.errors],
        "receipt_message_id": acceptance.message["id"],
    }
    at = acceptance.message["received_at"]
    moved = await deliveries.move(
        tx,
        held,
        Event.ACKNOWLEDGED if positive else Event.REJECTED,
        at=at,
        actor=acceptance.lines[0].actor,
        detail={
            "status": receipt.status.value,
            "errors": [error.code for error in receipt.errors],
            "apprec": str(acceptance.message["id"]),
        },
        due_at=None,
        lease_until=None,
        **kept,
    )
    if moved is None:  # the state was final before; the receipt is kept with the delivery even so
        own = (t.delivery.c.message_id == held.message_id, t.delivery.c.id == held.id)
        await tx.connection.execute(update(t.delivery).where(*own).values(**kept))


async def _standing(tx: WriteTx, repeated: Sequence[Acceptance]) -> dict[UUID, Committed]:
    """Find the message that stands in the way of each one that was not inserted."""
    if not repeated:
        return {}
    c, keys = t.accepted.c, [(a.message["sender_her_id"], a.message["msg_id"]) for a in repeated]
    query = select(t.accepted).where(tuple_(c.sender_her_id, c.msg_id).in_(keys))
    by_msg_id = {(r.sender_her_id, r.msg_id): r for r in await tx.connection.execute(query)}
    answers = [(a.message["answers_id"], a.message["sender_her_id"]) for a in repeated if a.message["answers_id"]]
    by_answer = {}
    if answers:
        query = select(t.accepted).where(tuple_(c.answers_id, c.sender_her_id).in_(answers))
        by_answer = {(r.answers_id, r.sender_her_id): r for r in await tx.connection.execute(query)}
    found = {}
    for a in repeated:
        row = by_msg_id.get((a.message["sender_her_id"], a.message["msg_id"]))
        if row is not None:
            standing = Standing.REPLAYED if row.digest == a.message["digest"] else Standing.CONFLICTED
        else:
            row = by_answer[(a.message["answers_id"], a.message["sender_her_id"])]
            standing = Standing.ALREADY_ANSWERED
        found[a.message["id"]] = Committed(row.id, standing, row.received_at, tuple(row.warnings))
    return found


_REPEATED = {
    Standing.REPLAYED: AuditEvent.MESSAGE_REPLAYED,
    Standing.CONFLICTED: AuditEvent.MESSAGE_CONFLICTED,
    Standing.ALREADY_ANSWERED: AuditEvent.APPREC_IGNORED,
}


async def _record_repeats(tx: WriteTx, group: Sequence[Acceptance], standing: dict[UUID, Committed]) -> None:
    lines = []
    for acceptance in group:
        stands = standing.get(acceptance.message["id"])
        if stands is None:
            continue
        ignored = stands.standing is Standing.ALREADY_ANSWERED
        lines.append(
            audit.Line(
                at=acceptance.message["received_at"],
                event=_REPEATED[stands.standing],
                actor=acceptance.lines[0].actor,
                message_id=acceptance.message["answers_id"] if ignored else stands.message_id,
                her_id=acceptance.message["sender_her_id"],
                detail={"door": acceptance.message["door"]},
            )
        )
    await audit.write(tx, *lines)


__all__ = ["Acceptance", "Committed", "Committer", "Settlement", "Standing"]
