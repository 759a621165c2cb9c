"""Change and cancellation where messages are kept: what is linked, and what the later one does to the earlier one.

It is decided in the transaction that takes a message in, and one link at a time: an original and its cancellation that
arrive at the same moment through two processes take turns, and the second of them sees the first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, or_, select, tuple_

from messaging.model.audit import AuditEvent
from messaging.model.lifecycle import OWNER, State
from messaging.model.message import DispatchStatus
from messaging.model.notification import NotificationType
from messaging.model.succession import Turn, latest
from messaging.store import audit
from messaging.store import tables as t
from messaging.store.acceptance import Acceptance
from messaging.store.messages import is_party
from messaging.store.notifications import Notice
from messaging.store.session import ReadTx, WriteTx

Key = tuple[str, int, str]
"""What linked messages have in common: link, sender, type."""

_KEY = tuple_(t.message.c.link, t.message.c.sender_her_id, t.message.c.type)
_TURN = [t.message.c[name] for name in ("id", "status", "gen_instant", "received_at", "link", "sender_her_id", "type")]


def _has_one(keys: Collection[Key]) -> Any:
    """Say in SQL that a message has one of the keys; SQLite takes the index for the links alone, never for a triple."""
    return and_(t.message.c.link.in_({link for link, _, _ in keys}), _KEY.in_(keys))


_HOLD = "SELECT pg_advisory_xact_lock(number) FROM unnest($1::bigint[]) AS number"
_LINKED_BY_ARRAYS = """
SELECT m.id, m.status, m.gen_instant, m.received_at, m.link, m.sender_her_id, m.type, d.receiver_her_id
FROM unnest($1::varchar[], $2::integer[], $3::varchar[], $4::boolean[]) AS asked (link, sender_her_id, type, changed)
JOIN message m USING (link, sender_her_id, type) JOIN delivery d ON d.message_id = m.id
WHERE m.id <> ALL ($5::uuid[]) AND (m.status <> 'N' OR asked.changed)
"""
"""The same question for PostgreSQL: one statement for any number of keys, so that it is prepared once."""
_LINKED = (
    select(*_TURN, t.delivery.c.receiver_her_id)
    .join(t.delivery, t.delivery.c.message_id == t.message.c.id)
    .where(
        t.message.c.link.in_(bindparam("links", expanding=True)),
        _KEY.in_(bindparam("keys", expanding=True)),
        t.message.c.id.not_in(bindparam("own", expanding=True)),
        or_(
            t.message.c.status != DispatchStatus.NEW.value,
            t.message.c.link.in_(bindparam("changed", expanding=True)),
        ),
    )
)
"""What is linked to messages with some keys; made once, since it is asked with every accepted message."""


@dataclass(frozen=True, slots=True)
class _Kin:
    turn: Turn
    receivers: frozenset[int]


def key_of(row: t.Row) -> Key | None:
    """Tell by what a message is linked; None for one that is neither new, nor a change, nor a cancellation."""
    return (row["link"], row["sender_her_id"], row["type"]) if row["link"] and row["status"] else None


async def hold(tx: WriteTx, rows: Iterable[t.Row]) -> None:
    """Wait for whoever takes in a message with one of these links, and keep others waiting until the commit.

    On SQLite there is one writer, who need not wait.
    """
    keys = sorted({_number(key) for key in map(key_of, rows) if key})
    if keys and tx.is_postgresql:
        # In one order everywhere, and before anything else is locked: nobody waits in a circle.
        await (await tx.driver()).execute(_HOLD, keys)


def _number(key: Key) -> int:
    digest = blake2b("\0".join(map(str, key)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


async def settle(tx: WriteTx, new: Sequence[Acceptance]) -> list[Acceptance]:
    """Work out what messages that were just inserted do to those before them, and the other way round."""
    kin = await _kin(tx, [acceptance.message for acceptance in new if key_of(acceptance.message)])
    settled = []
    for acceptance in new:
        key = key_of(acceptance.message)
        if key is not None:
            earlier = kin.setdefault(key, [])
            own = _Kin(Turn.of(acceptance.message), _receivers(acceptance))
            acceptance = _among(acceptance, own.turn, earlier)  # noqa: PLW2901 - the same one, with what follows for it
            earlier.append(own)
        settled.append(acceptance)
    return settled


def _receivers(acceptance: Acceptance) -> frozenset[int]:
    return frozenset(row["receiver_her_id"] for row in acceptance.deliveries)


async def _kin(tx: WriteTx, rows: Sequence[t.Row]) -> dict[Key, list[_Kin]]:
    """Read what is linked to these messages: for a new one its changes and cancellations, for those everything."""
    if not rows:
        return {}
    keys = list({key for key in map(key_of, rows) if key})
    changed = {row["link"] for row in rows if row["status"] != DispatchStatus.NEW}
    turns: dict[UUID, tuple[Key, Turn]] = {}
    receivers: dict[UUID, set[int]] = {}
    for found in await _linked(tx, keys, changed, [row["id"] for row in rows]):
        key = key_of(found)
        if key is not None:
            turns[found["id"]] = key, Turn.of(found)
            receivers.setdefault(found["id"], set()).add(found["receiver_her_id"])
    kin: dict[Key, list[_Kin]] = {}
    for message_id, (key, turn) in turns.items():
        kin.setdefault(key, []).append(_Kin(turn, frozenset(receivers[message_id])))
    return kin


async def _linked(tx: WriteTx, keys: Sequence[Key], changed: Collection[str], own: Sequence[UUID]) -> list[t.Row]:
    if tx.is_postgresql:
        arrays = [list(column) for column in zip(*keys, strict=True)]
        flags = [link in changed for link, _, _ in keys]
        found = await (await tx.driver()).fetch(_LINKED_BY_ARRAYS, *arrays, flags, own)
        return [dict(row) for row in found]
    asked = {"links": list({link for link, _, _ in keys}), "keys": keys, "own": own, "changed": list(changed)}
    return [dict(row) for row in (await tx.connection.execute(_LINKED, asked)).mappings()]


def _among(acceptance: Acceptance, own: Turn, kin: Sequence[_Kin]) -> Acceptance:
    """Say what a message does to those that are here, or what one of them has done to it."""
    lines = [_superseded(acceptance, one.turn, by=own) for one in kin if own.supersedes(one.turn)]
    later = latest(one.turn for one in kin if one.turn.supersedes(own))
    if later is not None:
        lines.append(_superseded(acceptance, own, by=later))
    reached = {her_id for one in kin if one.turn.supersedes(own) for her_id in one.receivers}
    return _held_back(replace(acceptance, lines=(*acceptance.lines, *lines)), reached & _receivers(acceptance))


def _superseded(acceptance: Acceptance, earlier: Turn, *, by: Turn) -> audit.Line:
    return audit.Line(
        at=acceptance.message["received_at"],
        event=AuditEvent.MESSAGE_SUPERSEDED,
        actor=acceptance.lines[0].actor,
        message_id=earlier.message_id,
        her_id=acceptance.message["sender_her_id"],
        detail={"by": str(by.message_id), "status": by.status.value},
    )


def _held_back(acceptance: Acceptance, receivers: Collection[int]) -> Acceptance:
    """Keep a message from receivers that have its change or cancellation already; its sender is told that it is here.

    A receiver that the later one is not for gets it as if nothing had happened, which is true for that receiver.
    """
    if not receivers:
        return acceptance
    state = State.SUPERSEDED
    ends = {"state": state.value, "owner": OWNER[state], "due_at": None, "receipt_due_at": None}
    rows = [{**row, **ends} if row["receiver_her_id"] in receivers else row for row in acceptance.deliveries]
    ended = {row["id"] for row in rows if row["state"] == state}
    lines = [
        replace(line, detail={**line.detail, "to": state.value})
        if line.event == AuditEvent.DELIVERY_CREATED and line.delivery_id in ended
        else line
        for line in acceptance.lines
    ]
    message, kind = acceptance.message, NotificationType.DELIVERY_STATE_UPDATED
    told = [notice for notice in acceptance.notices if _about(notice) not in receivers]
    told += [Notice(message["sender_her_id"], kind, message["id"], her_id) for her_id in sorted(receivers)]
    return replace(acceptance, deliveries=tuple(rows), lines=tuple(lines), notices=tuple(told))


def _about(notice: Notice) -> int | None:
    """Tell which receiver's delivery a notice is about."""
    return notice.her_id if notice.type is NotificationType.NEW_MESSAGE else notice.triggered_by


async def families(tx: ReadTx, rows: Sequence[t.Row], *, seen_by: Collection[int] | None) -> dict[Key, list[Turn]]:
    """Read what is linked to some messages, themselves included; only what one of the given HER-ids is party to."""
    keys = {key for key in map(key_of, rows) if key}
    if not keys:
        return {}
    conditions: list[Any] = [_has_one(keys), t.message.c.status.is_not(None)]
    if seen_by is not None:
        conditions.append(is_party(seen_by))
    found: dict[Key, list[Turn]] = {}
    for row in (await tx.execute(select(*_TURN).where(*conditions))).mappings():
        found.setdefault((row["link"], row["sender_her_id"], row["type"]), []).append(Turn.of(dict(row)))
    return found
