"""Traffic: how many messages went between whom in each hour, and how long AppRecs took.

Counted from the sealed lines of the audit log, in their order and each once, so that the figures are those of the log.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from messaging.model.audit import AuditEvent
from messaging.model.lengths import length_of
from messaging.model.lifecycle import Event
from messaging.store import tables as t
from messaging.store import tables_of_counts
from messaging.store.session import ReadTx, WriteTx

COUNTED = ("received", "delivered", "acknowledged", "rejected", "failed", "refused")

_COUNTS_AS: Mapping[str, str] = {
    AuditEvent.DELIVERY_CREATED: "received",
    f"delivery.{Event.COLLECTED}": "delivered",
    f"delivery.{Event.HANDED_OVER}": "delivered",
    f"delivery.{Event.RECEIPT_HANDED_OVER}": "delivered",
    f"delivery.{Event.ACKNOWLEDGED}": "acknowledged",
    f"delivery.{Event.REJECTED}": "rejected",
    f"delivery.{Event.REFUSED_BY_RECEIVER}": "rejected",
    f"delivery.{Event.GAVE_UP}": "failed",
    AuditEvent.DOCUMENT_REFUSED: "refused",
}
_ANSWERS = frozenset({"acknowledged", "rejected"})

Pair = tuple[datetime, int, int, str]
"""An hour or a day, a sender, a receiver (0: none), a type."""


async def count_on(tx: WriteTx, *, limit: int) -> int:
    """Count the next sealed lines; tells how many there were."""
    after = await tx.connection.scalar(select(tables_of_counts.tally.c.leaf_index).with_for_update())
    lines = (await tx.connection.execute(_lines(-1 if after is None else after, limit))).mappings().all()
    if not lines:
        return 0
    counts, lengths = _counted(lines)
    sums = _summed(lines, counts, lengths)
    await _add(
        tx,
        tables_of_counts.total,
        [{"name": name, "key": key, "count": n} for (name, key), n in sums.items()],
        ("count",),
    )
    await _add(
        tx, tables_of_counts.traffic, [{**_at("hour", pair), **counted} for pair, counted in counts.items()], COUNTED
    )
    rows = [{**_at("day", pair), "length": length, "receipts": n} for (*pair, length), n in lengths.items()]
    await _add(tx, tables_of_counts.receipt_time, rows, ("receipts",))
    if after is None:
        await tx.connection.execute(tables_of_counts.tally.insert().values(one=1, leaf_index=lines[-1]["leaf_index"]))
    else:
        await tx.connection.execute(update(tables_of_counts.tally).values(leaf_index=lines[-1]["leaf_index"]))
    return len(lines)


def _lines(after: int, limit: int) -> Any:
    return (
        select(
            t.sealed_line.c.leaf_index,
            t.audit.c.event,
            t.audit.c.at,
            t.audit.c.her_id,
            t.audit.c.detail,
            t.delivery.c.receiver_her_id,
            t.message.c.sender_her_id,
            t.message.c.type,
            t.message.c.received_at,
        )
        .select_from(t.sealed_line)
        .join(t.audit, t.audit.c.id == t.sealed_line.c.line_id)
        .outerjoin(t.message, t.message.c.id == t.audit.c.message_id)
        .outerjoin(t.delivery, t.delivery.c.id == t.audit.c.delivery_id)
        .where(t.sealed_line.c.leaf_index > after)
        .order_by(t.sealed_line.c.leaf_index)
        .limit(limit)
    )


def _counted(lines: Iterable[Any]) -> tuple[dict[Pair, Counter[str]], Counter[tuple[Any, ...]]]:
    counts: dict[Pair, Counter[str]] = defaultdict(lambda: Counter(dict.fromkeys(COUNTED, 0)))
    lengths: Counter[tuple[Any, ...]] = Counter()
    for line in lines:
        what = _COUNTS_AS.get(line["event"])
        detail = line["detail"]
        moved_nothing = "from" in detail and detail["from"] == detail.get("to")
        if what is None or moved_nothing:
            continue
        if what == "refused":
            sender, receiver, kind = line["her_id"] or 0, 0, str(detail.get("type") or "")[:60]
        elif line["sender_her_id"] is None or line["receiver_her_id"] is None:
            continue  # of a message whose row, or of whose delivery nothing is kept any more
        else:
            sender, receiver, kind = line["sender_her_id"], line["receiver_her_id"], line["type"]
        hour = line["at"].replace(minute=0, second=0, microsecond=0)
        counts[hour, sender, receiver, kind][what] += 1
        if what in _ANSWERS:
            lengths[hour.replace(hour=0), sender, receiver, kind, length_of(line["at"] - line["received_at"])] += 1
    return counts, lengths


def _summed(
    lines: Iterable[Any], counts: Mapping[Pair, Counter[str]], lengths: Counter[tuple[Any, ...]]
) -> Counter[tuple[str, str]]:
    """Sum up by what happened, by the codes of refusals, and by the lengths of time that AppRecs took."""
    sums: Counter[tuple[str, str]] = Counter()
    for counted in counts.values():
        sums.update({("step", what): n for what, n in counted.items() if n})
    for (*_, length), n in lengths.items():
        sums["length", str(length)] += n
    for line in lines:
        if line["event"] == AuditEvent.DOCUMENT_REFUSED:
            sums.update(("refused", str(code)) for code in line["detail"].get("codes", ()))
    return sums


def _at(name: str, pair: Collection[Any]) -> dict[str, Any]:
    moment, sender, receiver, kind = pair
    return {name: moment, "sender_her_id": sender, "receiver_her_id": receiver, "type": kind}


async def _add(tx: WriteTx, table: Any, rows: list[dict[str, Any]], counted: Collection[str]) -> None:
    if not rows:
        return
    statement = (postgresql_insert if tx.is_postgresql else sqlite_insert)(table)
    added = {name: table.c[name] + statement.excluded[name] for name in counted}
    keys = [column.name for column in table.primary_key]
    await tx.connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=added), rows)


@dataclass(frozen=True, slots=True)
class Hour:
    """What went through the exchange in one hour."""

    at: datetime
    counts: Mapping[str, int]


def _seen(table: Any, her_ids: Collection[int] | None) -> list[Any]:
    if her_ids is None:
        return []
    return [or_(table.c.sender_her_id.in_(her_ids), table.c.receiver_her_id.in_(her_ids))]


async def by_hour(tx: ReadTx, *, start: datetime, her_ids: Collection[int] | None) -> list[Hour]:
    """Read what went through since an hour, oldest first; hours without traffic are left out."""
    columns = [func.sum(tables_of_counts.traffic.c[name]).label(name) for name in COUNTED]
    query = (
        select(tables_of_counts.traffic.c.hour, *columns)
        .where(tables_of_counts.traffic.c.hour >= start, *_seen(tables_of_counts.traffic, her_ids))
        .group_by(tables_of_counts.traffic.c.hour)
        .order_by(tables_of_counts.traffic.c.hour)
    )
    found = (await tx.execute(query)).mappings()
    return [Hour(row["hour"], {name: int(row[name]) for name in COUNTED}) for row in found]


async def receipt_lengths(
    tx: ReadTx, *, start: datetime, her_ids: Collection[int] | None, by: Collection[str]
) -> dict[tuple[Any, ...], dict[int, int]]:
    """Count AppRecs by length of time since a day, apart for each value of `by` (columns of the table)."""
    named = [tables_of_counts.receipt_time.c[name] for name in by]
    query = (
        select(*named, tables_of_counts.receipt_time.c.length, func.sum(tables_of_counts.receipt_time.c.receipts))
        .where(tables_of_counts.receipt_time.c.day >= start, *_seen(tables_of_counts.receipt_time, her_ids))
        .group_by(*named, tables_of_counts.receipt_time.c.length)
    )
    told: dict[tuple[Any, ...], dict[int, int]] = defaultdict(dict)
    for *key, length, receipts in await tx.execute(query):
        told[tuple(key)][length] = int(receipts)
    return told
