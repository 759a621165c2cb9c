"""Alarms as people see and steer them: what is raised, who has taken it on, and the rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from messaging.errors import Forbidden, InvalidRequest, NotFound
from messaging.flow import alarming
from messaging.flow.exchange import Exchange
from messaging.flow.overview import Kind
from messaging.model.access import Action, authorise, permit
from messaging.model.alarm import Alarm, AlarmRule
from messaging.model.audit import AuditEvent
from messaging.model.party import Client, Party
from messaging.model.sight import EVERYTHING, Sight
from messaging.store import alarms, audit, parties
from messaging.store.session import WriteTx

MOST_RULES = 50
"""So many rules there may be for one party, and for the exchange as a whole."""
MOST_ADDRESSES = 10
LONGEST = timedelta(days=30)
SHORTEST_WINDOW = timedelta(minutes=15)
_LONGEST_NOTE = 500
_SHOWN = 50
_ADDRESS = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+")
_LONGEST_ADDRESS = 200

OF_PARTIES = (Kind.APPREC_OVERDUE, Kind.GIVEN_UP, Kind.REJECTED, Kind.UNCOLLECTED, Kind.UNPOLLED)
"""What a rule about one party may look for; the rest belongs to the exchange as a whole."""


@dataclass(frozen=True, slots=True)
class RuleTold:
    """A rule, and who gets e-mail by it."""

    rule: AlarmRule
    mail_to: tuple[str, ...]
    may_change: bool


@dataclass(frozen=True, slots=True)
class AlarmsTold:
    """What an actor sees: alarms that are open, some that are over, the rules, and whom these may be about."""

    open: tuple[Alarm, ...]
    over: tuple[Alarm, ...]
    more: tuple[datetime, UUID] | None
    """Before which the next page of those that are over begins."""
    rules: tuple[RuleTold, ...]
    parties: Mapping[int, Party]
    subjects: tuple[int | None, ...]
    """What the actor may make rules about; None is the whole exchange."""
    kinds: tuple[Kind, ...]
    webhooks: tuple[str, ...]
    has_mail: bool


async def show(exchange: Exchange, actor: Client, *, before: tuple[datetime, UUID] | None = None) -> AlarmsTold:
    """Tell of the alarms and rules of all, or of one's own parties."""
    permit(actor, Action.READ)
    her_ids = None if actor.oversees else actor.her_ids
    async with exchange.database.read(Sight.of(actor)) as tx:
        still_open = await alarms.still_open(tx, her_ids=her_ids)
        over = await alarms.over(tx, limit=_SHOWN + 1, before=before, her_ids=her_ids)
        rules = await alarms.rules(tx, her_ids=her_ids)
        known = {one.her_id: one for one in await parties.every(tx)}
    async with exchange.database.read(EVERYTHING) as tx:
        told = [
            RuleTold(one, await alarming.addressees(exchange, tx, one), _may_change(actor, one.her_id)) for one in rules
        ]
    shown = over[:_SHOWN]
    subjects: list[int | None] = [
        her_id for her_id in sorted(known, key=lambda her_id: known[her_id].name) if _may_change(actor, her_id)
    ]
    webhooks = {
        name
        for her_id in subjects or [None]
        for name in exchange.channels.webhooks_for(her_id, oversees=actor.oversees)
    }
    return AlarmsTold(
        tuple(still_open),
        tuple(shown),
        (shown[-1].raised_at, shown[-1].id) if len(over) > _SHOWN else None,
        tuple(told),
        known,
        tuple([None, *subjects] if _may_change(actor, None) else subjects),
        tuple(Kind) if actor.oversees else OF_PARTIES,
        tuple(sorted(webhooks)),
        exchange.channels.mail is not None,
    )


def _may_change(actor: Client, her_id: int | None) -> bool:
    try:
        _authorise(actor, her_id)
    except Forbidden:
        return False
    return True


def _authorise(actor: Client, her_id: int | None) -> None:
    """Let operators pass, and a party's own people: to be told is no act in its name."""
    if actor.oversees:
        authorise(actor, Action.OPERATE)
        return
    permit(actor, Action.READ)
    if her_id is None or her_id not in actor.her_ids:
        raise Forbidden("Only operators change what the exchange as a whole, or another party, is told of.")


async def keep(exchange: Exchange, actor: Client, rule: AlarmRule) -> None:
    """Keep a rule, new or in place of the one with its id.

    Raises Forbidden, NotFound (it is another's), and InvalidRequest, which says what cannot be used.
    """
    _authorise(actor, rule.her_id)
    _require_usable(exchange, actor, rule)
    now = exchange.clock()
    async with exchange.database.write(EVERYTHING) as tx:
        before = await alarms.rule(tx.reader, rule.id)
        if before is not None and not _may_change(actor, before.her_id):
            raise NotFound("There is no such rule, or it is not yours.")
        if rule.her_id is not None and not await parties.known(tx.reader, [rule.her_id]):
            raise InvalidRequest("There is no such party.")
        others = [one for one in await alarms.rules(tx.reader) if one.her_id == rule.her_id and one.id != rule.id]
        if len(others) >= MOST_RULES:
            raise InvalidRequest(f"There are {MOST_RULES} such rules already; delete one first.")
        await alarms.keep(tx, rule)
        await _note(tx, AuditEvent.ALARM_RULE_KEPT, actor, rule, now, new=before is None)


async def remove(exchange: Exchange, actor: Client, rule_id: UUID) -> None:
    """Delete a rule. Its open alarm ends, and stays in the history. Raises NotFound alike for none and another's."""
    now = exchange.clock()
    async with exchange.database.write(EVERYTHING) as tx:
        rule = await _rule(tx, actor, rule_id)
        await alarms.remove(tx, rule.id)
        await _note(tx, AuditEvent.ALARM_RULE_REMOVED, actor, rule, now)


async def try_out(exchange: Exchange, actor: Client, rule_id: UUID) -> None:
    """Tell whom a rule names that this is a trial. Raises NotFound, and InvalidRequest when it names nobody."""
    now = exchange.clock()
    async with exchange.database.write(EVERYTHING) as tx:
        rule = await _rule(tx, actor, rule_id)
        if not await alarming.try_out(exchange, tx, rule, now):
            raise InvalidRequest("The rule reaches nobody.")
        await _note(tx, AuditEvent.ALARM_TRIED, actor, rule, now)


async def acknowledge(exchange: Exchange, actor: Client, alarm_id: UUID, *, note: str) -> None:
    """Take an alarm on: nobody is told of it again while it lasts. Raises NotFound, and InvalidRequest when it is over.

    A second one changes nothing.
    """
    note = note.strip()
    if not note or len(note) > _LONGEST_NOTE:
        raise InvalidRequest(f"Say what is being done, in 1 to {_LONGEST_NOTE} characters.")
    now = exchange.clock()
    async with exchange.database.write(EVERYTHING) as tx:
        known = await alarms.one(tx.reader, alarm_id)
        if known is None or not _may_change(actor, known.her_id):
            raise NotFound("There is no such alarm, or it is not yours.")
        if known.cleared_at is not None:
            raise InvalidRequest("The alarm is over already.")
        if known.acknowledged_at is not None:
            return
        await alarms.change(tx, known.id, acknowledged_at=now, acknowledged_by=actor.id, note=note)
        detail = {"kind": known.kind, "alarm": str(known.id), "note": note}
        line = audit.Line(now, AuditEvent.ALARM_ACKNOWLEDGED, actor.id, her_id=known.her_id, detail=detail)
        await audit.write(tx, line)


async def _rule(tx: WriteTx, actor: Client, rule_id: UUID) -> AlarmRule:
    rule = await alarms.rule(tx.reader, rule_id)
    if rule is None or not (actor.oversees or rule.her_id in actor.her_ids):
        raise NotFound("There is no such rule, or it is not yours.")
    _authorise(actor, rule.her_id)
    return rule


async def _note(tx: WriteTx, event: AuditEvent, actor: Client, rule: AlarmRule, now: datetime, **more: bool) -> None:
    detail = {"rule": str(rule.id), "kind": rule.kind, "on": rule.is_on, "mail": len(rule.mail_to), **more}
    await audit.write(tx, audit.Line(now, event, actor.id, her_id=rule.her_id, detail=detail))


def _require_usable(exchange: Exchange, actor: Client, rule: AlarmRule) -> None:
    kinds = tuple(Kind) if rule.her_id is None else OF_PARTIES
    if rule.kind not in kinds:
        raise InvalidRequest(f"Such a rule looks for one of {', '.join(kinds)}.")
    if not timedelta(0) <= rule.after <= LONGEST or not SHORTEST_WINDOW <= rule.again <= LONGEST:
        raise InvalidRequest(
            "Wait at most 30 days before telling, and from 15 minutes to 30 days before telling again."
        )
    if not 1 <= rule.at_least <= 1_000_000:  # noqa: PLR2004
        raise InvalidRequest("Tell of at least 1, and at most a million.")
    if len(rule.mail_to) > MOST_ADDRESSES or not all(
        _ADDRESS.fullmatch(one) and len(one) <= _LONGEST_ADDRESS and one.isprintable() for one in rule.mail_to
    ):
        raise InvalidRequest(f"Name at most {MOST_ADDRESSES} e-mail addresses, such as vakt@kommune.example.")
    if rule.webhook and rule.webhook not in exchange.channels.webhooks_for(rule.her_id, oversees=actor.oversees):
        raise InvalidRequest("The settings name no such webhook for this.")
    if rule.quiet is not None and rule.quiet.begins == rule.quiet.ends:
        raise InvalidRequest("Quiet hours begin and end at different times.")
