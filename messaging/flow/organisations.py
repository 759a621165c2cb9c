"""Organisations: how each stands, from what its parties owe to whether they still fetch; and whom to call there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from messaging.errors import Forbidden, InvalidRequest, NotFound
from messaging.flow.exchange import Exchange
from messaging.model.access import Action, authorise, permit
from messaging.model.audit import AuditEvent
from messaging.model.party import Client, Party
from messaging.model.sight import EVERYTHING, Sight
from messaging.store import audit, bindings, expiries, keys, organisations, parties, polls
from messaging.store.bindings import CertificateBinding
from messaging.store.expiries import Ending
from messaging.store.keys import KeyRecord
from messaging.store.organisations import Contact, Owed

POLLED_WITHIN = timedelta(hours=24)
ENDS_WITHIN = timedelta(days=30)
_SEEN_WITHIN = timedelta(days=30)
_LONGEST_NAME, _LONGEST_PHONE, _LONGEST_EMAIL = 200, 40, 200
_PHONE = re.compile(r"[+0-9][0-9 ()/-]*")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class Health(StrEnum):
    """How an organisation stands, in one word."""

    GOOD = "good"
    WATCH = "watch"
    """A mailbox that nobody asks for, or a key or certificate that ends soon."""
    BAD = "bad"
    """Somebody has waited for an AppRec longer than the standard allows."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A party of an organisation as it stands."""

    party: Party
    route: str
    """By which its messages go, if nothing is said of their type."""
    owed: Owed
    polled_at: datetime | None
    is_silent: bool
    """Whether nobody has asked for its mailbox for a day."""
    contact: Contact


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation, its parties, and the health that follows from them."""

    party: Party
    units: tuple[Unit, ...]
    endings: tuple[Ending, ...]
    """Keys and certificates of its clients that end soon."""

    @property
    def health(self) -> Health:
        """The gravest that is true of any of its parties."""
        if any(unit.owed.overdue for unit in self.units):
            return Health.BAD
        return Health.WATCH if self.endings or any(unit.is_silent for unit in self.units) else Health.GOOD

    @property
    def oldest(self) -> datetime | None:
        """When the oldest came that nobody has answered."""
        return min((unit.owed.oldest for unit in self.units if unit.owed.oldest), default=None)

    @property
    def owed(self) -> int:
        """How many nobody has answered."""
        return sum(unit.owed.count for unit in self.units)

    @property
    def polled_at(self) -> datetime | None:
        """When a mailbox of its own was last asked for."""
        return max((unit.polled_at for unit in self.units if unit.polled_at), default=None)


@dataclass(frozen=True, slots=True)
class Access:
    """A client that acts for an organisation, and what lets it in; never a secret."""

    client: Client
    keys: list[KeyRecord]
    certificates: list[CertificateBinding]


@dataclass(frozen=True, slots=True)
class Details:
    """An organisation, who acts for it (for those who oversee the exchange), and what it has sent with lately."""

    organisation: Organisation
    access: tuple[Access, ...]
    sent_with: list[dict[str, Any]]


async def every(exchange: Exchange, actor: Client) -> list[Organisation]:
    """Tell how every organisation stands that the actor sees, by name: all of them, or its own."""
    permit(actor, Action.READ)
    now, sight = exchange.clock(), Sight.of(actor)
    async with exchange.database.read(sight) as tx:
        known = await parties.every(tx)
        seen = [party for party in known if actor.oversees or party.her_id in actor.her_ids]
        her_ids = [party.her_id for party in seen]
        owed = await organisations.owed(tx, her_ids, at=now)
        polled = await polls.last(tx, her_ids)
        silent = await polls.silent(tx, since=now - POLLED_WITHIN, her_ids=her_ids)
        contacts = await organisations.contacts(tx, her_ids)
        ending = await expiries.endings(tx, after=now, before=now + ENDS_WITHIN) if actor.oversees else []
        clients = await parties.clients(tx) if ending else []
    nothing = Owed(0, None, 0)
    units: dict[int, list[Unit]] = {}
    for party in seen:
        unit = Unit(
            party,
            exchange.routes.route_of(party, ""),
            owed.get(party.her_id, nothing),
            polled.get(party.her_id),
            party.her_id in silent,
            contacts.get(party.her_id, Contact()),
        )
        units.setdefault(party.parent_her_id or party.her_id, []).append(unit)
    grants = {client.id: client.her_ids for client in clients}
    told = [
        Organisation(party, tuple(units[party.her_id]), _of(ending, grants, units[party.her_id]))
        for party in known
        if party.her_id in units
    ]
    return sorted(told, key=lambda one: one.party.name)


def _of(endings: Iterable[Ending], grants: dict[str, frozenset[int]], units: list[Unit]) -> tuple[Ending, ...]:
    her_ids = {unit.party.her_id for unit in units}
    return tuple(one for one in endings if grants.get(one.client_id, frozenset()) & her_ids)


async def show(exchange: Exchange, actor: Client, number: int) -> Details:
    """Tell all of the organisation that a HER-id or an organisation number belongs to.

    Raises NotFound alike for none and for somebody else's.
    """
    for one in await every(exchange, actor):
        her_ids = {one.party.her_id, *(unit.party.her_id for unit in one.units)}
        if number in her_ids or one.party.org_number == str(number):
            async with exchange.database.read(Sight.of(actor)) as tx:
                access = []
                for client in await parties.clients(tx) if actor.oversees else []:
                    if client.her_ids & her_ids:
                        certificates = await bindings.certificates(tx, client.id)
                        access.append(Access(client, await keys.of_client(tx, client), certificates))
                seen = {unit.party.her_id for unit in one.units}
                since = exchange.clock() - _SEEN_WITHIN
                return Details(one, tuple(access), await organisations.sent_with(tx, seen, since=since))
    raise NotFound("There is no such party, or it is not yours to see.")


def may_change_contact(actor: Client, her_id: int) -> bool:
    """Tell whether to offer it: to administrators, and to the party's own people."""
    try:
        _authorise(actor, her_id)
    except Forbidden:
        return False
    return True


def _authorise(actor: Client, her_id: int) -> None:
    """Let administrators pass, and a party's own; whom to call is no act in its name, and no lock stands before it."""
    if actor.oversees:
        authorise(actor, Action.ADMINISTER)
        return
    permit(actor, Action.READ)
    if her_id not in actor.her_ids:
        raise Forbidden(f"HER-id {her_id} is not yours; its own people and administrators say whom to call there.")


async def set_contact(exchange: Exchange, actor: Client, her_id: int, contact: Contact) -> None:
    """Say whom to call at a party. The audit log tells that it was changed and by whom, and names nobody.

    Raises Forbidden, NotFound, and InvalidRequest for what cannot be called or written to.
    """
    wanted = _readable(contact)
    now = exchange.clock()
    async with exchange.database.write(EVERYTHING) as tx:
        _authorise(actor, her_id)
        if not await parties.hold(tx, [her_id]):
            raise NotFound("There is no such party, or it is not yours to see.")
        before = (await organisations.contacts(tx.reader, [her_id])).get(her_id, Contact())
        changed = [name for name in ("name", "phone", "email") if getattr(before, name) != getattr(wanted, name)]
        await organisations.set_contact(tx, her_id, wanted, at=now)
        line = audit.Line(now, AuditEvent.PARTY_CONTACT_CHANGED, actor.id, her_id=her_id, detail={"changed": changed})
        await audit.write(tx, line)


def _readable(contact: Contact) -> Contact:
    name, phone, email = (" ".join(text.split()) for text in (contact.name, contact.phone, contact.email))
    if not all(text.isprintable() for text in (name, phone, email)) or len(name) > _LONGEST_NAME:
        raise InvalidRequest(f"A name is one line of at most {_LONGEST_NAME} characters.")
    if phone and (len(phone) > _LONGEST_PHONE or not _PHONE.fullmatch(phone)):
        raise InvalidRequest("A telephone number has digits and spaces, perhaps with + before them.")
    if email and (len(email) > _LONGEST_EMAIL or not _EMAIL.fullmatch(email)):
        raise InvalidRequest("An address for e-mail looks like meldinger@kommune.example.")
    return Contact(name, phone, email)
