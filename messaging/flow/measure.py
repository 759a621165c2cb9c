"""Measure: how much waits and since when, and what has gone through, as figures that a monitoring system collects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from messaging.flow.exchange import Exchange
from messaging.flow.organisations import POLLED_WITHIN
from messaging.model.access import Action, authorise
from messaging.model.party import Client
from messaging.model.sight import EVERYTHING
from messaging.store import gauges, overview, polls, routes, seals
from messaging.store.gauges import Waiting
from messaging.store.overview import Need
from messaging.store.routes import RouteRecord

MOST_PARTNERS = 200
"""So many receivers are named at the most: those that have let somebody wait longest."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What is measured at one moment.

    `overdue` stops at a bound, as on the overview; `silent` are mailboxes that nobody has asked for in a day.
    `totals` by name and key: ("step", what happened), ("refused", code), ("length", number of model/lengths.py).
    """

    at: datetime
    totals: Mapping[tuple[str, str], int]
    states: Mapping[str, Waiting]
    partners: Mapping[int, Waiting]
    partners_in_all: int
    routes: Mapping[str, int]
    standing: Mapping[str, RouteRecord]
    overdue: Need
    silent: int
    unsealed: int
    oldest_unsealed: datetime | None
    group_sizes: Mapping[int, int]
    connections: tuple[int, int]


async def figures(exchange: Exchange, actor: Client) -> Figures:
    """Measure everything once; for whoever oversees the exchange."""
    authorise(actor, Action.OVERSEE)
    async with exchange.database.read(EVERYTHING) as tx:
        newest = await seals.last(tx)
        unsealed, oldest = await seals.waiting(tx, after=newest.settled if newest else 0)
        partners, in_all = await gauges.by_receiver(tx, most=MOST_PARTNERS)
        queued, now = await gauges.by_route(tx), exchange.clock()
        return Figures(
            at=now,
            totals=await gauges.totals(tx),
            states=await gauges.by_state(tx),
            partners=partners,
            partners_in_all=in_all,
            routes={**dict.fromkeys(exchange.adapters, 0), **queued},
            standing=await routes.every(tx),
            overdue=await overview.apprecs_overdue(tx, at=now, her_ids=None),
            silent=len(await polls.silent(tx, since=now - POLLED_WITHIN, her_ids=None)),
            unsealed=unsealed,
            oldest_unsealed=oldest,
            group_sizes=dict(exchange.committer.sizes),
            connections=exchange.database.connections,
        )
