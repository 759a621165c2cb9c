"""Configure: what a party says of itself — which client alone may act for it, and which types it does not take."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from messaging.errors import InvalidRequest, Locked
from messaging.flow.exchange import Exchange
from messaging.flow.locks import locks_of
from messaging.flow.locks import record as record_lock
from messaging.model.access import Action, Resource, authorise
from messaging.model.audit import AuditEvent
from messaging.model.message import APPREC
from messaging.model.party import Client
from messaging.model.sight import Sight
from messaging.store import audit, parties


@dataclass(frozen=True, slots=True)
class Configuration:
    """One party's whole configuration; as it stands here, without a word said, it is the default."""

    her_id: int
    locked: bool = False
    refused_types: frozenset[str] = frozenset()


async def configure(exchange: Exchange, actor: Client, wanted: Sequence[Configuration]) -> None:
    """Replace the configuration of some parties, all of them or none; `locked` reserves a party for the caller.

    Raises Forbidden (not the caller's), Locked (another client's), InvalidRequest (a party that would refuse AppRecs).
    """
    if any(APPREC in one.refused_types for one in wanted):
        raise InvalidRequest("A party cannot refuse AppRecs; take APPREC out of MessageFunction.")
    her_ids = frozenset(one.her_id for one in wanted)
    try:
        await _configure(exchange, actor, wanted, her_ids)
    except Locked as error:
        for her_id in error.her_ids:
            await record_lock(exchange, actor, Action.CONFIGURE, her_id)
        raise
    exchange.directory.forget()


async def _configure(
    exchange: Exchange, actor: Client, wanted: Sequence[Configuration], her_ids: frozenset[int]
) -> None:
    now = exchange.clock()
    async with exchange.database.write(Sight.of(actor)) as tx:
        known = await parties.hold(tx, her_ids)
        authorise(actor, Action.CONFIGURE, Resource(her_ids, locks_of(known)))
        for one in wanted:
            locked_to = actor.id if one.locked else None
            await parties.configure(tx, one.her_id, refused_types=one.refused_types, locked_to=locked_to)
        await audit.write(
            tx,
            *(
                audit.Line(
                    now,
                    AuditEvent.PARTY_CONFIGURED,
                    actor.id,
                    her_id=one.her_id,
                    detail={"locked": one.locked, "refused_types": sorted(one.refused_types)},
                )
                for one in wanted
            ),
        )


async def forget(exchange: Exchange, actor: Client, her_ids: Collection[int]) -> None:
    """Put parties back to the default: unlocked, every type taken."""
    await configure(exchange, actor, [Configuration(her_id) for her_id in sorted(her_ids)])
