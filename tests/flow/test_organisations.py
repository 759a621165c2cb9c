"""How organisations stand, on both databases: what they owe, whether they fetch, what ends soon, whom to call."""

from __future__ import annotations

from datetime import timedelta

import pytest

import fixtures
from messaging.errors import Forbidden, InvalidRequest, NotFound
from messaging.flow import clients, collect, inspect, keys, organisations, overview, receive, watch
from messaging.flow.keys import Limits
from messaging.flow.organisations import Health, Organisation
from messaging.flow.overview import Kind
from messaging.flow.receive import Handed
from messaging.model.access import Role
from messaging.model.account import Account
from messaging.model.party import Client
from messaging.store.organisations import Contact
from world import World

MUNICIPALITY, NURSING, WARD = 8110000, 8110001, 8100001
ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
ADMIN = Client("admin", "admin", Role.ADMIN)
ODD = Contact("Odd Prøve", "+47 99 00 00 00", "meldinger@solvik.example")


async def send(running: World) -> None:
    now = running.clock().isoformat().encode()
    before, _, rest = ADMITTED.partition(b"<GenDate>")
    content = before + b"<GenDate>" + now + rest[rest.index(b"<") :]
    await receive.receive(running.exchange, running.clients["sykehus"], Handed(content, "test"))


async def municipality(running: World, client: str = "operator") -> Organisation:
    found = await organisations.every(running.exchange, running.clients[client])
    return next(one for one in found if one.party.her_id == MUNICIPALITY)


async def needs(running: World, client: str = "operator") -> dict[Kind, int]:
    return {one.kind: one.need.count for one in await overview.needs(running.exchange, running.clients[client])}


async def test_an_organisation_owes_what_its_parties_have_not_answered_and_is_ill_past_the_deadline(
    running: World,
) -> None:
    assert (await municipality(running)).health is Health.GOOD
    came = running.clock()
    await send(running)
    one = await municipality(running)
    assert (one.owed, one.oldest, one.health) == (1, came, Health.GOOD)
    running.clock.forward(hours=97)
    assert (await municipality(running)).health is Health.BAD


async def test_a_mailbox_that_nobody_asks_for_in_a_day_is_told_until_somebody_does(running: World) -> None:
    kommune = running.clients["kommune"]
    await send(running)
    running.clock.forward(hours=25)
    one = await municipality(running)
    assert (one.health, one.polled_at, (await needs(running))[Kind.UNPOLLED]) == (Health.WATCH, None, 1)
    assert ((await needs(running, "kommune"))[Kind.UNPOLLED], (await needs(running, "lege"))[Kind.UNPOLLED]) == (1, 0)
    asked = running.clock()
    await collect.unread(running.exchange, kommune, [NURSING], limit=10)
    await watch.sweep(running.exchange)
    one = await municipality(running)
    assert (one.health, one.polled_at, (await needs(running))[Kind.UNPOLLED]) == (Health.GOOD, asked, 0)
    running.clock.forward(hours=25)
    assert (await needs(running))[Kind.UNPOLLED] == 1, "it was asked for, and is no more"
    await collect.log(running.exchange, kommune, [NURSING], after=0, limit=10)
    await watch.sweep(running.exchange)
    assert (await needs(running))[Kind.UNPOLLED] == 0


async def test_a_key_that_ends_within_thirty_days_is_told_to_those_who_oversee(running: World) -> None:
    ends = running.clock() + timedelta(days=31)
    kommune = running.clients["kommune"]
    await keys.add(running.exchange, ADMIN, kommune.id, Limits(expires_at=ends))
    assert ((await needs(running))[Kind.EXPIRING], (await municipality(running)).endings) == (0, ())
    running.clock.forward(days=2)
    assert (await needs(running))[Kind.EXPIRING] == 1
    one = await municipality(running)
    assert ([ending.ends_at for ending in one.endings], one.health) == ([ends], Health.WATCH)
    assert Kind.EXPIRING not in await needs(running, "kommune")
    running.clock.forward(days=30)
    assert (await needs(running))[Kind.EXPIRING] == 0, "it has ended, and needs nobody"


async def test_each_sees_its_own_organisation_and_an_operator_all_with_who_acts_for_it(running: World) -> None:
    exchange, operator, kommune = running.exchange, running.clients["operator"], running.clients["kommune"]
    everyone = await organisations.every(exchange, operator)
    assert len(everyone) == 3
    assert [one.party.her_id for one in await organisations.every(exchange, kommune)] == [MUNICIPALITY]
    await send(running)
    told = await organisations.show(exchange, operator, NURSING)
    assert told.organisation.party.her_id == MUNICIPALITY
    assert [access.client.id for access in told.access] == [kommune.id]
    assert len(told.access[0].keys) == 1
    (seen,) = (await organisations.show(exchange, operator, WARD)).sent_with
    assert (seen["type"], seen["version"]) == ("LOG_INNLAGT", "1.6")
    by_number = await organisations.show(exchange, kommune, int(told.organisation.party.org_number))
    assert (by_number.organisation.party.her_id, by_number.access) == (MUNICIPALITY, ())
    for number in (WARD, 1):
        with pytest.raises(NotFound, match="not yours to see"):
            await organisations.show(exchange, kommune, number)


async def test_whom_to_call_is_changed_by_an_administrator_or_its_own_people_and_the_log_names_nobody(
    running: World,
) -> None:
    exchange, kommune = running.exchange, running.clients["kommune"]
    await organisations.set_contact(exchange, kommune, NURSING, ODD)
    changed = Contact(f"  {ODD.name} ", "815 00 000", ODD.email)
    await organisations.set_contact(exchange, ADMIN, NURSING, changed)
    (unit,) = [unit for unit in (await municipality(running)).units if unit.party.her_id == NURSING]
    assert (unit.contact.name, unit.contact.phone) == (ODD.name, "815 00 000")
    lines = await inspect.audit_log(exchange, ADMIN, after=0, limit=500, event="party.contact_changed", door="test")
    assert [line["detail"] for line in lines] == [{"changed": ["name", "phone", "email"]}, {"changed": ["phone"]}]
    for other in ("operator", "sykehus"):
        assert not organisations.may_change_contact(running.clients[other], NURSING)
        with pytest.raises(Forbidden):
            await organisations.set_contact(exchange, running.clients[other], NURSING, ODD)
    with pytest.raises(NotFound):
        await organisations.set_contact(exchange, ADMIN, 1, ODD)


async def test_a_lock_keeps_nobody_of_the_party_from_saying_whom_to_call(running: World) -> None:
    other = Client("other", "other", her_ids=frozenset({NURSING}))
    await clients.save_client(running.exchange, other, actor="test")
    await clients.lock(running.exchange, ADMIN, other.id, [NURSING])
    nils = Account("nils", "Nils", Role.PARTY, frozenset({NURSING})).actor
    await organisations.set_contact(running.exchange, nils, NURSING, ODD)
    assert [unit.contact.name for unit in (await municipality(running)).units if unit.contact.name] == [ODD.name]


@pytest.mark.parametrize(
    "wrong",
    [Contact("x" * 201), Contact("a\x00b"), Contact("Odd", "ring meg"), Contact("Odd", "", "ingen adresse")],
    ids=["long", "unprintable", "phone", "e-mail"],
)
async def test_a_contact_that_nobody_can_call_or_write_to_is_refused(running: World, wrong: Contact) -> None:
    with pytest.raises(InvalidRequest):
        await organisations.set_contact(running.exchange, ADMIN, NURSING, wrong)
