"""Alarms as they are kept: rules, what was raised, and who is to be told."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from messaging.model.alarm import About, Alarm, AlarmRule, Quiet, Telling
from messaging.store.session import ReadTx, WriteTx
from messaging.store.tables_of_alarms import alarm, alarm_rule, telling


async def rules(tx: ReadTx, *, her_ids: Collection[int] | None = None) -> list[AlarmRule]:
    """Read the rules, all or those about some parties: those of the whole exchange, then those of parties."""
    query = _about(select(alarm_rule), alarm_rule, her_ids).order_by(
        alarm_rule.c.her_id.isnot(None), alarm_rule.c.her_id, alarm_rule.c.id
    )
    return [_rule(row) for row in (await tx.execute(query)).mappings()]


async def rule(tx: ReadTx, rule_id: UUID) -> AlarmRule | None:
    """Read one rule."""
    row = (await tx.execute(select(alarm_rule).where(alarm_rule.c.id == rule_id))).mappings().one_or_none()
    return _rule(row) if row else None


def _rule(row: Any) -> AlarmRule:
    quiet = Quiet(row["quiet_from"], row["quiet_to"]) if row["quiet_from"] is not None else None
    return AlarmRule(
        row["id"],
        row["her_id"],
        row["kind"],
        timedelta(seconds=row["after_seconds"]),
        row["at_least"],
        timedelta(seconds=row["again_seconds"]),
        tuple(row["mail_to"]),
        row["webhook"],
        quiet,
        row["is_on"],
    )


async def keep(tx: WriteTx, kept: AlarmRule) -> None:
    """Keep a rule, in place of the one that has its id."""
    row = {
        "id": kept.id,
        "her_id": kept.her_id,
        "kind": kept.kind,
        "after_seconds": int(kept.after.total_seconds()),
        "at_least": kept.at_least,
        "again_seconds": int(kept.again.total_seconds()),
        "mail_to": list(kept.mail_to),
        "webhook": kept.webhook,
        "quiet_from": kept.quiet.begins if kept.quiet else None,
        "quiet_to": kept.quiet.ends if kept.quiet else None,
        "is_on": kept.is_on,
    }
    changed = {name: value for name, value in row.items() if name != "id"}
    await tx.connection.execute(
        _insert(tx, alarm_rule).values(row).on_conflict_do_update(index_elements=["id"], set_=changed)
    )


async def remove(tx: WriteTx, rule_id: UUID) -> None:
    """Delete a rule; its alarms stay."""
    await tx.connection.execute(delete(alarm_rule).where(alarm_rule.c.id == rule_id))


async def still_open(tx: ReadTx, *, her_ids: Collection[int] | None = None) -> list[Alarm]:
    """Read the alarms that are not over, the newest first, and who was told of each."""
    query = _about(select(alarm).where(alarm.c.cleared_at.is_(None)), alarm, her_ids).order_by(
        alarm.c.raised_at.desc(), alarm.c.id
    )
    return await _with_tellings(tx, query)


async def over(
    tx: ReadTx, *, limit: int, before: tuple[datetime, UUID] | None, her_ids: Collection[int] | None
) -> list[Alarm]:
    """Read alarms that are over, the newest first, from before one of them on."""
    query = _about(select(alarm).where(alarm.c.cleared_at.isnot(None)), alarm, her_ids)
    if before is not None:
        query = query.where(tuple_(alarm.c.raised_at, alarm.c.id) < tuple_(*before))
    return await _with_tellings(tx, query.order_by(alarm.c.raised_at.desc(), alarm.c.id.desc()).limit(limit))


def _about(query: Any, table: Any, her_ids: Collection[int] | None) -> Any:
    return query if her_ids is None else query.where(table.c.her_id.in_(her_ids))


async def one(tx: ReadTx, alarm_id: UUID) -> Alarm | None:
    """Read one alarm."""
    found = await _with_tellings(tx, select(alarm).where(alarm.c.id == alarm_id))
    return found[0] if found else None


async def newest_of(tx: ReadTx, rule_id: UUID) -> Alarm | None:
    """Read the newest alarm of a rule, open or over."""
    query = select(alarm).where(alarm.c.rule_id == rule_id)
    found = await _with_tellings(tx, query.order_by(alarm.c.raised_at.desc()).limit(1))
    return found[0] if found else None


async def _with_tellings(tx: ReadTx, query: Any) -> list[Alarm]:
    rows = [dict(row) for row in (await tx.execute(query)).mappings()]
    ids = [row["id"] for row in rows]
    told: dict[UUID, list[Telling]] = {}
    if ids:
        every = select(telling).where(telling.c.alarm_id.in_(ids)).order_by(telling.c.due_at, telling.c.id)
        for row in (await tx.execute(every)).mappings():
            told.setdefault(row["alarm_id"], []).append(_telling(row))
    return [Alarm(**row, tellings=tuple(told.get(row["id"], ()))) for row in rows]


def _telling(row: Any) -> Telling:
    return Telling(
        row["id"],
        row["alarm_id"],
        row["way"],
        row["target"],
        About(row["about"]),
        row["due_at"],
        row["attempts"],
        row["ended_at"],
        row["error"],
    )


async def open_one(tx: WriteTx, new: Alarm) -> bool:
    """Keep a new alarm; tells whether it is new, as another process may have been first."""
    row = {name: getattr(new, name) for name in alarm.c.keys()}  # noqa: SIM118 - columns, no dictionary
    made = _insert(tx, alarm).values(row).on_conflict_do_nothing()
    return bool((await tx.connection.execute(made)).rowcount)


async def change(tx: WriteTx, alarm_id: UUID, *, was_over: bool | None = None, **values: Any) -> bool:
    """Change an alarm, if it still is as it was; tells whether it was."""
    query = update(alarm).where(alarm.c.id == alarm_id).values(values)
    if was_over is not None:
        query = query.where(alarm.c.cleared_at.isnot(None) if was_over else alarm.c.cleared_at.is_(None))
    return bool((await tx.connection.execute(query)).rowcount)


async def reopen(tx: WriteTx, alarm_id: UUID, *, count: int, oldest: datetime | None) -> None:
    """Let an alarm stand again that was over; whoever had taken it on has not taken on what came back."""
    nobody = {"acknowledged_at": None, "acknowledged_by": None, "note": None}
    await change(tx, alarm_id, was_over=True, cleared_at=None, count=count, oldest=oldest, **nobody)


async def tell_again(tx: WriteTx, known: Alarm, *, at: datetime) -> bool:
    """Note that an alarm is told again; false when it has been meanwhile, is over, or somebody has taken it on."""
    here = (alarm.c.id == known.id, alarm.c.told_at == known.told_at)
    free = (alarm.c.cleared_at.is_(None), alarm.c.acknowledged_at.is_(None))
    values = {"told_at": at, "count": known.count, "oldest": known.oldest}
    return bool((await tx.connection.execute(update(alarm).where(*here, *free).values(values))).rowcount)


async def tell(tx: WriteTx, her_id: int | None, tellings: Iterable[Telling]) -> None:
    """Keep what somebody is to be told."""
    for new in tellings:
        row = {
            "id": new.id,
            "alarm_id": new.alarm_id,
            "her_id": her_id,
            "way": new.way,
            "target": new.target,
            "about": new.about.value,
            "due_at": new.due_at,
        }
        await tx.connection.execute(telling.insert().values(row))


async def claim(tx: WriteTx, *, at: datetime, lease: timedelta, limit: int) -> list[Telling]:
    """Take on what is due: whoever has taken it has until the lease ends to tell it."""
    free = or_(telling.c.lease_until.is_(None), telling.c.lease_until <= at)
    due = (telling.c.ended_at.is_(None), telling.c.due_at <= at, free)
    picked = select(telling.c.id).where(*due).order_by(telling.c.due_at).limit(limit)
    taken = (
        update(telling)
        .where(telling.c.id.in_(picked), *due)
        .values(lease_until=at + lease, attempts=telling.c.attempts + 1)
        .returning(*telling.c)
    )
    return [_telling(row) for row in (await tx.connection.execute(taken)).mappings()]


async def has_due(tx: ReadTx, *, at: datetime) -> bool:
    """Tell whether anything is due."""
    query = select(telling.c.id).where(telling.c.ended_at.is_(None), telling.c.due_at <= at).limit(1)
    return await tx.scalar(query) is not None


async def ended(tx: WriteTx, telling_id: UUID, *, at: datetime, error: str = "") -> None:
    """Note that somebody was told, or that it is not tried again and why."""
    values = {"ended_at": at, "error": error, "lease_until": None}
    await tx.connection.execute(update(telling).where(telling.c.id == telling_id).values(values))


async def put_off(tx: WriteTx, telling_id: UUID, *, until: datetime, error: str) -> None:
    """Note that it failed, and when it is tried again."""
    values = {"due_at": until, "error": error, "lease_until": None}
    await tx.connection.execute(update(telling).where(telling.c.id == telling_id).values(values))


async def forget(tx: WriteTx, *, over_before: datetime) -> int:
    """Delete alarms that were over before a moment; tells how many."""
    return (await tx.connection.execute(delete(alarm).where(alarm.c.cleared_at < over_before))).rowcount


def _insert(tx: WriteTx, table: Any) -> Any:
    return (postgresql_insert if tx.is_postgresql else sqlite_insert)(table)
