"""Fill an empty exchange with a month of a region's messages, so that every page has something to show."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

from fixtures import region
from fixtures.month import LENGTH, month
from messaging.app import open_exchange
from messaging.demo.life import Life
from messaging.demo.person import admit
from messaging.demo.staff import PARKED, Staff
from messaging.demo.told import happening, told_clock
from messaging.errors import ConfigurationError
from messaging.flow import clients, inspect, work
from messaging.flow.exchange import Exchange
from messaging.model.access import Role
from messaging.model.clock import system_clock
from messaging.model.party import Client
from messaging.settings import Settings

DOWN, DOWN_BEFORE_THE_END = "elvestad", timedelta(hours=21)
_LOOKS_AFTER, _LATELY, _LOOKS_AFTER_LATELY = timedelta(hours=24), timedelta(days=6), timedelta(hours=6)
_SEALS_LATELY = 12
"""So many hours before the end the audit log is sealed every hour, as far as the page of seals looks back."""
_TRIES_AGAIN = timedelta(minutes=10)
_ADMIN = Client("demo", "demo", Role.ADMIN)

Tell = Callable[[float, int], None]
"""Hears which share of the month is over, and how many messages were taken in."""


def settings_of_routes() -> Mapping[str, Any]:
    """Name the adapters of the region's routes: nobody listens where they call, and none of them calls far."""
    return {
        "adapters": {
            name: {
                "kind": "http_post",
                "url": f"http://127.0.0.1:9/{name}/{{receiver}}",
                "secret": "whsec_" + "ZGVtbw" * 8,
            }
            for name in (DOWN, PARKED)
        },
        "calls_allowed": ["127.0.0.0/8"],
        "retry_give_up_after": 6,
        "retry_longest_seconds": 900,
    }


async def fill(settings: Settings, *, seed: int, messages: int, tell: Tell) -> int:
    """Play the month before now through the verbs; returns how many messages were taken in, AppRecs among them."""
    async with AsyncExitStack() as stack:
        exchange = await stack.enter_async_context(open_exchange(settings, clock=told_clock, alone=True))
        await stack.enter_async_context(work.running(exchange, deliver=False))
        return await _fill(exchange, seed=seed, messages=messages, tell=tell)


async def _fill(exchange: Exchange, *, seed: int, messages: int, tell: Tell) -> int:
    await _require_empty(exchange)
    end = system_clock()
    begin = end - LENGTH - timedelta(hours=2)
    life = Life(exchange, seed=seed, end=end)
    staff = await happening(begin, _open(exchange, life, seed=seed))
    life.connect(DOWN, down_since=end - DOWN_BEFORE_THE_END)
    life.connect(PARKED)
    life.deliver_every(DOWN, _TRIES_AGAIN, since=end - DOWN_BEFORE_THE_END)
    for posting in month(end, seed=seed, messages=messages):
        life.hand_in(posting)
    moment = begin
    while moment < end:
        moment += _LOOKS_AFTER if moment < end - _LATELY else _LOOKS_AFTER_LATELY
        life.do(moment, life.look_after, alone=True)
    for hours in range(1, _SEALS_LATELY):
        life.do(end - timedelta(hours=hours), life.seal, alone=True)
    staff.plan(begin)
    await life.live(lambda at: tell((at - begin) / (end - begin), life.messages))
    await life.look_in()
    await life.look_after(end)
    return life.messages


async def _require_empty(exchange: Exchange) -> None:
    if await inspect.every_party(exchange, _ADMIN):
        raise ConfigurationError(
            "The database holds parties already: a part of a month, or somebody's messages. Begin anew with --fresh, "
            "or name an empty database with --database-url or an empty folder with --data."
        )


async def _open(exchange: Exchange, life: Life, *, seed: int) -> Staff:
    """Register who takes part, and let them in."""
    await clients.register_parties(exchange, region.parties(), actor=_ADMIN.id)
    for client in region.clients():
        await clients.save_client(exchange, client, actor=_ADMIN.id)
    staff = Staff(life, seed=seed, admin=_ADMIN, person=await admit(exchange))
    await staff.arrive(secrets.token_urlsafe(24))
    await staff.hand_out_keys()
    return staff
