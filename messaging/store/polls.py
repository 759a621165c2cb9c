"""Polls: when somebody last asked for what lies in a mailbox, and which mailboxes nobody asks for any more."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import func, select, union
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from messaging.model.lifecycle import State
from messaging.store import tables as t
from messaging.store import tables_of_routes as of_routes
from messaging.store.session import ReadTx, WriteTx

_NOTED_EVERY = timedelta(minutes=1)


class MailboxPolls:
    """When mailboxes were asked for, until it is written; once a minute for each is enough."""

    def __init__(self) -> None:
        self._written: dict[int, datetime] = {}
        self._unwritten: dict[int, datetime] = {}

    def note(self, her_ids: Iterable[int], at: datetime) -> None:
        """Note that somebody asks for what lies in some mailboxes."""
        for her_id in her_ids:
            written = self._written.get(her_id)
            if written is None or at - written >= _NOTED_EVERY:
                self._unwritten[her_id] = at

    def take(self) -> Mapping[int, datetime]:
        """Give what is to be written, and take it as written."""
        taken, self._unwritten = self._unwritten, {}
        self._written |= taken
        return taken


async def note(tx: WriteTx, polled: Mapping[int, datetime]) -> None:
    """Keep when mailboxes were asked for; what another process has kept since then stays."""
    insert = (postgresql_insert if tx.is_postgresql else sqlite_insert)(of_routes.mailbox_poll)
    later = insert.excluded.polled_at > of_routes.mailbox_poll.c.polled_at
    statement = insert.on_conflict_do_update(
        index_elements=["her_id"], set_={"polled_at": insert.excluded.polled_at}, where=later
    )
    rows = [{"her_id": her_id, "polled_at": polled[her_id]} for her_id in sorted(polled)]
    await tx.connection.execute(statement, rows)


async def last(tx: ReadTx, her_ids: Collection[int]) -> dict[int, datetime]:
    """Tell when each of some mailboxes was last asked for."""
    query = select(of_routes.mailbox_poll).where(of_routes.mailbox_poll.c.her_id.in_(her_ids))
    return {row["her_id"]: row["polled_at"] for row in (await tx.execute(query)).mappings()}


async def silent(tx: ReadTx, *, since: datetime, her_ids: Collection[int] | None) -> dict[int, datetime]:
    """Name the mailboxes that nobody has asked for since a moment, with when they were, or what waits there came.

    They have been asked for before, or something lies in them from before that moment.
    """
    poll = of_routes.mailbox_poll
    asked_before = select(poll.c.her_id, poll.c.polled_at.label("at")).where(poll.c.polled_at < since)
    never_asked = (
        select(t.delivery.c.receiver_her_id, func.min(t.delivery.c.created_at))
        .where(
            t.unusual_delivery,
            t.delivery.c.state == State.WAITING.value,
            t.delivery.c.created_at < since,
            ~select(poll.c.her_id).where(poll.c.her_id == t.delivery.c.receiver_her_id).exists(),
        )
        .group_by(t.delivery.c.receiver_her_id)
    )
    if her_ids is not None:
        asked_before = asked_before.where(poll.c.her_id.in_(her_ids))
        never_asked = never_asked.where(t.delivery.c.receiver_her_id.in_(her_ids))
    return {int(row[0]): row[1] for row in await tx.execute(union(asked_before, never_asked))}
