"""Alarming: needs become alarms by the rules, and whoever is to be told is told, by every process that watches."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import uuid4

from messaging.errors import Unavailable
from messaging.flow import overview
from messaging.flow.alarm_words import subject, text
from messaging.flow.channels import NotTold, Told
from messaging.flow.exchange import Exchange
from messaging.logs import logger_of
from messaging.model.access import Role
from messaging.model.alarm import About, Alarm, AlarmRule, Telling, next_attempt
from messaging.model.log import LogEvent
from messaging.model.party import Client
from messaging.model.sight import EVERYTHING
from messaging.store import alarms, organisations, parties
from messaging.store.overview import Need
from messaging.store.session import ReadTx, WriteTx

logger = logger_of(__name__)

LOOKS_EVERY = timedelta(seconds=30)
KEPT = timedelta(days=365)
"""So long an alarm that is over stays in the history."""
_LEASE = timedelta(minutes=2)
_EVERY = 5.0
_AT_A_TIME = 2
"""So few that each is told, or has failed, before the lease ends."""
_MAIL, _WEBHOOK = "mail", "webhook"


async def run(exchange: Exchange) -> None:
    """Look and tell until cancelled, apart from the watch: a mail server that hangs may hold up nothing but itself."""
    alarming = Alarming(exchange)
    while True:
        try:
            await alarming.step()
        except Unavailable:
            logger.warning(LogEvent.DATABASE_AWAITED, part="alarms")
        await asyncio.sleep(_EVERY)


class Alarming:
    """Looks at the needs now and then, and tells what is due each time."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._due = exchange.clock()

    async def step(self) -> None:
        """Do what is due now."""
        now = self._exchange.clock()
        if now >= self._due:
            self._due = now + LOOKS_EVERY
            await look(self._exchange)
        while await tell(self._exchange):
            pass


async def look(exchange: Exchange) -> None:
    """Raise the alarms that the rules ask for, and end those whose cause is over."""
    now = exchange.clock()
    async with exchange.database.read(EVERYTHING) as tx:
        rules = await alarms.rules(tx)
        still_open = {one.rule_id: one for one in await alarms.still_open(tx)}
    for her_id, some in groupby((rule for rule in rules if rule.is_on), key=lambda rule: rule.her_id):
        found = {str(one.kind): one.need for one in await overview.needs(exchange, await _eyes(exchange, her_id))}
        for rule in some:
            await _judge(exchange, rule, still_open.pop(rule.id, None), found.get(rule.kind), now)
    for left in still_open.values():  # of rules that are off, or gone
        await _end(exchange, left, now)
    async with exchange.database.write(EVERYTHING) as tx:
        await alarms.forget(tx, over_before=now - KEPT)


async def _eyes(exchange: Exchange, her_id: int | None) -> Client:
    """Look as the exchange itself, or as a party and the services below it."""
    if her_id is None:
        return Client("alarms", "alarms", Role.ADMIN)
    async with exchange.database.read(EVERYTHING) as tx:
        return Client("alarms", "alarms", her_ids=await parties.and_services(tx, her_id))


async def _judge(exchange: Exchange, rule: AlarmRule, known: Alarm | None, need: Need | None, now: datetime) -> None:
    if need is None or not need.count or not rule.wants(need.count, need.oldest, now):
        if known is not None:
            await _end(exchange, known, now)
    elif known is None:
        await _raise(exchange, rule, need, now)
    elif known.acknowledged_at is None and now - known.told_at >= rule.again:
        await _keep_on(exchange, rule, replace(known, count=need.count, oldest=need.oldest), now)
    elif (known.count, known.oldest) != (need.count, need.oldest):
        async with exchange.database.write(EVERYTHING) as tx:
            await alarms.change(tx, known.id, was_over=False, count=need.count, oldest=need.oldest)


async def _raise(exchange: Exchange, rule: AlarmRule, need: Need, now: datetime) -> None:
    """Raise an alarm; what comes back within the rule's window is the one that was over, and nobody is told at once."""
    async with exchange.database.write(EVERYTHING) as tx:
        before = await alarms.newest_of(tx.reader, rule.id)
        if before is not None and now - before.told_at < rule.again:
            await alarms.reopen(tx, before.id, count=need.count, oldest=need.oldest)
            return
        new = Alarm(uuid4(), rule.id, rule.her_id, rule.kind, now, need.count, need.oldest, told_at=now)
        if await alarms.open_one(tx, new):
            await alarms.tell(tx, rule.her_id, await _tellings(exchange, tx.reader, rule, (new, About.RAISED), now))
            logger.warning(LogEvent.ALARM_RAISED, code=rule.kind, count=need.count, her_id=rule.her_id)


async def _keep_on(exchange: Exchange, rule: AlarmRule, known: Alarm, now: datetime) -> None:
    async with exchange.database.write(EVERYTHING) as tx:
        if not await alarms.tell_again(tx, known, at=now):
            return  # another process was first, or somebody has taken it on
        await alarms.tell(tx, rule.her_id, await _tellings(exchange, tx.reader, rule, (known, About.AGAIN), now))


async def _end(exchange: Exchange, known: Alarm, now: datetime) -> None:
    """End an alarm; whoever was told of it is told that it is over."""
    async with exchange.database.write(EVERYTHING) as tx:
        if not await alarms.change(tx, known.id, was_over=False, cleared_at=now):
            return
        rule = await alarms.rule(tx.reader, known.rule_id)
        reached = any(one.ended_at is not None and not one.error for one in known.tellings)
        if rule is not None and reached:
            await alarms.tell(tx, rule.her_id, await _tellings(exchange, tx.reader, rule, (known, About.OVER), now))


async def try_out(exchange: Exchange, tx: WriteTx, rule: AlarmRule, now: datetime) -> int:
    """Tell whom a rule names that this is a trial, also in quiet hours; tells in how many ways.

    What is kept of it is an alarm that is over already.
    """
    over = Alarm(uuid4(), rule.id, rule.her_id, rule.kind, now, 0, None, told_at=now - rule.again, cleared_at=now)
    tellings = await _tellings(exchange, tx.reader, replace(rule, quiet=None), (over, About.TRIAL), now)
    if tellings:
        await alarms.open_one(tx, over)
        await alarms.tell(tx, rule.her_id, tellings)
    return len(tellings)


async def _tellings(
    exchange: Exchange, tx: ReadTx, rule: AlarmRule, news: tuple[Alarm, About], now: datetime
) -> list[Telling]:
    """Say who is told, in which ways, and when."""
    of, about = news
    due = rule.quiet.until(now) if rule.quiet else now
    targets = []
    to = await addressees(exchange, tx, rule)
    if exchange.channels.mail is not None and to:
        targets.append((_MAIL, ", ".join(to)))
    if rule.webhook in exchange.channels.webhooks:
        targets.append((_WEBHOOK, rule.webhook))
    return [Telling(uuid4(), of.id, way, target, about, due) for way, target in targets]


async def addressees(exchange: Exchange, tx: ReadTx, rule: AlarmRule) -> tuple[str, ...]:
    """Say who gets e-mail by a rule: whom it names, or the contact persons, or whom the settings name."""
    if rule.mail_to:
        return rule.mail_to
    if rule.her_id is None:
        return exchange.channels.mail_to
    contacts = await organisations.contacts(tx, await parties.and_services(tx, rule.her_id))
    return tuple(sorted({one.email for one in contacts.values() if one.email}))[:10]


async def tell(exchange: Exchange) -> bool:
    """Tell what is due; tells whether there may be more to do at once."""
    now = exchange.clock()
    async with exchange.database.read(EVERYTHING) as tx:
        if not await alarms.has_due(tx, at=now):
            return False
    async with exchange.database.write(EVERYTHING) as tx:
        taken = await alarms.claim(tx, at=now, lease=_LEASE, limit=_AT_A_TIME)
    for one in taken:
        await _tell(exchange, one, now)
    return len(taken) == _AT_A_TIME


async def _tell(exchange: Exchange, one: Telling, now: datetime) -> None:
    async with exchange.database.read(EVERYTHING) as tx:
        of = await alarms.one(tx, one.alarm_id)
        name = await _name(tx, of.her_id) if of is not None and of.her_id is not None else ""
    if of is None:
        return
    if stale := _stale(one, of):
        async with exchange.database.write(EVERYTHING) as tx:
            await alarms.ended(tx, one.id, at=now, error=stale)
        return
    try:
        await _by_its_way(exchange, one, _told(exchange, one, of, name, now))
    except NotTold as error:
        retry = next_attempt(one.attempts, exchange.clock())
        logger.warning(LogEvent.ALARM_NOT_TOLD, code=one.way, reason=str(error), numbers=one.attempts)
        async with exchange.database.write(EVERYTHING) as tx:
            if retry is None:
                await alarms.ended(tx, one.id, at=exchange.clock(), error=str(error)[:500])
            else:
                await alarms.put_off(tx, one.id, until=retry, error=str(error)[:500])
    else:
        async with exchange.database.write(EVERYTHING) as tx:
            await alarms.ended(tx, one.id, at=exchange.clock())


async def _name(tx: ReadTx, her_id: int) -> str:
    """Name a party, and the organisation that it belongs to."""
    party = (await parties.known(tx, [her_id])).get(her_id)
    if party is None:
        return f"HER-id {her_id}"
    above = (await parties.known(tx, [party.parent_her_id])).values() if party.parent_her_id else ()
    return ", ".join([*(one.name for one in above), party.name])


OVER_BEFORE = "it was over before it was told"
BACK_BEFORE = "it was back before it was told that it was over"


def _stale(one: Telling, of: Alarm) -> str:
    """Say why a telling is not true any more; empty when it is."""
    if of.cleared_at is not None and one.about in (About.RAISED, About.AGAIN):
        return OVER_BEFORE
    return BACK_BEFORE if of.cleared_at is None and one.about is About.OVER else ""


async def _by_its_way(exchange: Exchange, one: Telling, told: Told) -> None:
    if one.way == _MAIL:
        if exchange.channels.mail is None:
            raise NotTold("the settings name no mail server any more")
        await exchange.channels.mail.tell(told, one.target.split(", "))
        return
    webhook = exchange.channels.webhooks.get(one.target)
    if webhook is None:
        raise NotTold("the settings name no such webhook any more")
    await webhook.tell(told)


def _told(exchange: Exchange, one: Telling, of: Alarm, whom: str, now: datetime) -> Told:
    place = exchange.edge.public_url or ""
    link = f"{place}/console/alarms"
    facts: Mapping[str, Any] = {
        "type": f"alarm.{one.about}",
        "timestamp": now.isoformat(),
        "data": {
            "alarmId": str(of.id),
            "kind": of.kind,
            "herId": of.her_id,
            "count": of.count,
            "oldest": of.oldest.isoformat() if of.oldest else None,
            "raisedAt": of.raised_at.isoformat(),
            "link": link if place else None,
        },
    }
    said = text(one.about, of.kind, of.count, of.oldest, whom=whom, link=link)
    return Told(one.id, now, subject(one.about, of.kind, of.count, whom), said, facts)
