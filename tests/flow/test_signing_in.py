"""People sign in: what is refused, who waits and who does not, and what ends it; on both databases, by a set clock."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from messaging.errors import CallerError, Forbidden, InvalidRequest, NotFound, Unauthenticated
from messaging.flow import accounts, marks, signed_in, watch
from messaging.flow.exchange import Exchange
from messaging.flow.sign_in import NOBODY, Begun, sign_in
from messaging.model.access import Action, Role, authorise
from messaging.model.account import Account
from messaging.model.party import Client
from messaging.model.sight import EVERYTHING
from messaging.passwords import Passwords
from messaging.store import tables
from messaging.store import tables_of_people as people
from world import World

GOOD, OTHER, WRONG = "kaffe og tykk tåke", "seks sløve sagblad", "wrong it is"
ADMIN = Client("cli:test", "terminal", Role.ADMIN)
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
async def exchange(running: World) -> Exchange:
    """An exchange with four accounts, whose passphrases are hashed quickly."""
    opened = replace(running.exchange, passwords=Passwords(QUICK))
    for name, role, her_ids in (
        ("kari", Role.OPERATOR, set[int]()),
        ("alf", Role.AUDITOR, set[int]()),
        ("ada", Role.ADMIN, set[int]()),
        ("nils", Role.PARTY, {8110001}),
    ):
        await accounts.add(opened, ADMIN, Account(name, name.title(), role, frozenset(her_ids)), passphrase=GOOD)
    return opened


async def told(exchange: Exchange, event: str = "person") -> list[tuple[str, str, dict[str, Any]]]:
    async with exchange.database.read(EVERYTHING) as tx:
        rows = (await tx.execute(select(tables.audit).order_by(tables.audit.c.id))).mappings()
        return [(row["event"], row["actor"], row["detail"]) for row in rows if row["event"].startswith(event)]


async def fails(exchange: Exchange, name: str = "kari", passphrase: str = WRONG, **more: str) -> str:
    with pytest.raises(Unauthenticated) as refused:
        await sign_in(exchange, name, passphrase, **more)
    return str(refused.value)


async def is_in(exchange: Exchange, begun: Begun) -> bool:
    return await signed_in.present(exchange, begun.token) is not None


async def test_who_signs_in_is_known_by_the_token_alone(exchange: Exchange) -> None:
    begun = await sign_in(exchange, " KARI ", GOOD, address="192.0.2.7")
    present = await signed_in.present(exchange, begun.token)
    assert present is not None
    assert (present.account.actor.id, present.account.actor.role) == ("person:kari", Role.OPERATOR)
    assert present.sign_in.address == "192.0.2.7"
    assert await signed_in.present(exchange, begun.token[:-1]) is None
    assert await signed_in.present(exchange, "") is None
    async with exchange.database.read(EVERYTHING) as tx:
        kept = [dict(row) for row in (await tx.execute(select(people.sign_in))).mappings()]
        hashes = list(await tx.scalars(select(people.account.c.password_hash)))
    assert [row["token_hash"] for row in kept] == [marks.kept_as(begun.token)]
    assert begun.token not in str(kept)
    assert len({*hashes}) == 4, "the same passphrase is kept differently each time"
    assert all(one.startswith("$argon2id$") for one in hashes)


async def test_whatever_is_wrong_is_told_in_the_same_words(exchange: Exchange) -> None:
    await accounts.disable(exchange, ADMIN, "alf")
    words = {
        await fails(exchange, "kari", "wrong it is"),
        await fails(exchange, "nobody", GOOD),
        await fails(exchange, "alf", GOOD),
        await fails(exchange, "ada", "x" * 5000),
        await fails(exchange, "Robert'); DROP TABLE account;--", GOOD),
        await fails(exchange, "", ""),
    }
    assert len(words) == 1
    reasons = [(actor, detail["reason"]) for event, actor, detail in await told(exchange) if "refused" in event]
    assert reasons == [
        ("person:kari", "wrong_passphrase"),
        (NOBODY, "unknown_name"),
        ("person:alf", "disabled"),
        ("person:ada", "wrong_passphrase"),
        (NOBODY, "unknown_name"),
        (NOBODY, "unknown_name"),
    ]
    assert "DROP" not in str(await told(exchange))


async def test_a22_every_refusal_costs_one_look_at_a_hash(exchange: Exchange) -> None:
    class Counting(Passwords):
        looked = 0

        async def matches(self, kept: str | None, passphrase: str) -> bool:
            self.looked += 1
            return await super().matches(kept, passphrase)

    counting = Counting(QUICK)
    watched = replace(exchange, passwords=counting)
    await accounts.disable(exchange, ADMIN, "alf")
    for _ in range(6):
        await fails(watched, "kari")
    for name in ("kari", "nobody", "alf"):
        await fails(watched, name, GOOD)
    assert counting.looked == 9


async def test_a22_guesses_in_a_row_make_strangers_wait_longer_each_time(exchange: Exchange, running: World) -> None:
    for _ in range(5):
        await fails(exchange)
    await fails(exchange, passphrase=GOOD)
    running.clock.forward(seconds=29)
    await fails(exchange, passphrase=GOOD)
    running.clock.forward(seconds=2)
    await fails(exchange)
    running.clock.forward(seconds=59)
    await fails(exchange, passphrase=GOOD)
    running.clock.forward(seconds=2)
    assert await is_in(exchange, await sign_in(exchange, "kari", GOOD))
    await fails(exchange)
    assert await is_in(exchange, await sign_in(exchange, "kari", GOOD)), "the count began anew"
    locked = [
        detail["until"] for event, actor, detail in await told(exchange, "person.locked") if actor == "person:kari"
    ]
    assert len(locked) == 2
    reasons = [detail["reason"] for event, _, detail in await told(exchange) if event == "person.sign_in_refused"]
    assert reasons.count("locked") == 3


async def test_a22_a_guesser_who_never_stops_does_not_shut_out_a_browser_that_was_in(
    exchange: Exchange, running: World
) -> None:
    known = await sign_in(exchange, "kari", GOOD)
    for _ in range(30):
        await fails(exchange)
        running.clock.forward(minutes=15)
    await fails(exchange)
    await fails(exchange, passphrase=GOOD)
    again = await sign_in(exchange, "kari", GOOD, mark=known.mark)
    assert again.mark == known.mark
    other = await sign_in(exchange, "ada", GOOD)
    await fails(exchange, passphrase=GOOD, mark=other.mark)


async def test_a22_a_stolen_mark_gives_no_more_tries_than_none(exchange: Exchange, running: World) -> None:
    known = await sign_in(exchange, "kari", GOOD)
    for _ in range(5):
        await fails(exchange, mark=known.mark)
    await fails(exchange, passphrase=GOOD, mark=known.mark)
    assert await is_in(exchange, await sign_in(exchange, "kari", GOOD)), "others do not wait for it"
    running.clock.forward(minutes=16)
    assert await is_in(exchange, await sign_in(exchange, "kari", GOOD, mark=known.mark))


async def test_a22_many_guesses_at_once_are_no_more_than_many_in_a_row(exchange: Exchange) -> None:
    guesses = [sign_in(exchange, "kari", f"wrong it is {number}") for number in range(15)]
    assert all(isinstance(one, Unauthenticated) for one in await asyncio.gather(*guesses, return_exceptions=True))
    reasons = [detail["reason"] for event, _, detail in await told(exchange) if event == "person.sign_in_refused"]
    assert (reasons.count("wrong_passphrase"), reasons.count("locked")) == (5, 10)


async def test_an_administrator_lets_a_waiting_person_try_again(exchange: Exchange) -> None:
    for _ in range(5):
        await fails(exchange)
    standing = await accounts.show(exchange, ADMIN, "kari")
    assert standing.locked_until is not None
    await accounts.unlock(exchange, ADMIN, "kari")
    assert (await accounts.show(exchange, ADMIN, "kari")).locked_until is None
    assert await is_in(exchange, await sign_in(exchange, "kari", GOOD))
    assert [event for event, _, _ in await told(exchange, "account.unlocked")] == ["account.unlocked"]


async def test_a_passphrase_hashed_at_other_costs_is_hashed_anew_when_it_is_next_shown(exchange: Exchange) -> None:
    dearer = replace(exchange, passwords=Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)))
    kept = select(people.account.c.password_hash).where(people.account.c.name == "kari")
    async with exchange.database.read(EVERYTHING) as tx:
        before = await tx.scalar(kept)
    await sign_in(dearer, "kari", GOOD)
    async with exchange.database.read(EVERYTHING) as tx:
        after = await tx.scalar(kept)
    assert "m=8,t=1" in str(before)
    assert "m=16,t=2" in str(after)
    assert await is_in(dearer, await sign_in(dearer, "kari", GOOD))


async def test_a27_a_sign_in_gets_a_token_that_nobody_had_before(exchange: Exchange) -> None:
    tokens = [(await sign_in(exchange, "kari", GOOD)).token for _ in range(3)]
    assert len({*tokens}) == 3
    assert all(len(token) == 43 for token in tokens), "256 bits"


async def test_it_ends_when_nothing_is_heard_for_half_an_hour_and_after_twelve_hours(
    exchange: Exchange, running: World
) -> None:
    idle, busy = await sign_in(exchange, "kari", GOOD), await sign_in(exchange, "kari", GOOD)
    running.clock.forward(minutes=29)
    assert await is_in(exchange, busy)
    running.clock.forward(minutes=1)
    assert not await is_in(exchange, idle)
    for _ in range(23):
        assert await is_in(exchange, busy)
        running.clock.forward(minutes=29)
    assert await is_in(exchange, busy)
    running.clock.forward(minutes=29)
    assert not await is_in(exchange, busy)
    await watch.purge(exchange)
    async with exchange.database.read(EVERYTHING) as tx:
        assert (await tx.execute(select(people.sign_in))).all() == []


async def test_a27_what_is_taken_away_ends_where_it_is_in_use(exchange: Exchange) -> None:
    async def begun() -> list[Begun]:
        return [await sign_in(exchange, "kari", GOOD) for _ in range(2)]

    async def role() -> None:
        await accounts.change_role(exchange, ADMIN, "kari", Role.AUDITOR, frozenset())

    async def passphrase() -> None:
        await accounts.set_passphrase(exchange, ADMIN, "kari", GOOD)

    async def disabled() -> None:
        await accounts.disable(exchange, ADMIN, "kari")

    bystander = await sign_in(exchange, "ada", GOOD)
    for change in (role, passphrase, disabled):
        held = await begun()
        await change()
        assert [await is_in(exchange, one) for one in held] == [False, False]
    assert await is_in(exchange, bystander)
    await fails(exchange, passphrase=GOOD)
    await accounts.enable(exchange, ADMIN, "kari")
    present = await signed_in.present(exchange, (await sign_in(exchange, "kari", GOOD)).token)
    assert present is not None
    assert present.account.role is Role.AUDITOR
    events = [event for event, _, _ in await told(exchange, "account")][-4:]
    assert events == ["account.role_changed", "account.password_changed", "account.disabled", "account.enabled"]


async def test_signing_out_ends_one_and_no_other(exchange: Exchange) -> None:
    first, second = await sign_in(exchange, "kari", GOOD), await sign_in(exchange, "kari", GOOD)
    await signed_in.sign_out(exchange, first.token)
    await signed_in.sign_out(exchange, first.token)
    assert (await is_in(exchange, first), await is_in(exchange, second)) == (False, True)
    assert [event for event, _, _ in await told(exchange, "person.signed_out")] == ["person.signed_out"]


async def test_sign_ins_are_listed_and_ended_by_their_owner_and_by_administrators(exchange: Exchange) -> None:
    karis, adas = await sign_in(exchange, "kari", GOOD), await sign_in(exchange, "ada", GOOD)
    kari, ada = karis.account.actor, adas.account.actor
    (one,) = await signed_in.of_account(exchange, kari, "kari")
    assert one.way == "passphrase"
    with pytest.raises(Forbidden):
        await signed_in.of_account(exchange, kari, "ada")
    (hers,) = await signed_in.of_account(exchange, ada, "ada")
    with pytest.raises(NotFound):
        await signed_in.end(exchange, kari, hers.id)
    await signed_in.end(exchange, kari, one.id)
    assert not await is_in(exchange, karis)
    again = await sign_in(exchange, "kari", GOOD)
    (one,) = await signed_in.of_account(exchange, ada, "kari")
    await signed_in.end(exchange, ada, one.id)
    assert not await is_in(exchange, again)
    assert [actor for _, actor, _ in await told(exchange, "person.sign_ins_ended")] == ["person:kari", "person:ada"]


async def test_a_person_changes_the_own_passphrase_who_knows_it(exchange: Exchange) -> None:
    begun = await sign_in(exchange, "kari", GOOD)
    present = await signed_in.present(exchange, begun.token)
    assert present is not None
    for current, wanted in (("wrong it is", OTHER), (GOOD, "short"), (GOOD, "passord123456")):
        with pytest.raises(InvalidRequest):
            await signed_in.change_passphrase(exchange, present, current, wanted)
    assert await is_in(exchange, begun)
    await signed_in.change_passphrase(exchange, present, GOOD, OTHER)
    assert not await is_in(exchange, begun)
    await fails(exchange, passphrase=GOOD)
    assert await is_in(exchange, await sign_in(exchange, "kari", OTHER))


@pytest.mark.parametrize("role", [Role.PARTY, Role.OPERATOR, Role.AUDITOR])
async def test_a27_only_administrators_touch_accounts(exchange: Exchange, role: Role) -> None:
    name = {Role.PARTY: "nils", Role.OPERATOR: "kari", Role.AUDITOR: "alf"}[role]
    actor = (await sign_in(exchange, name, GOOD)).account.actor
    verbs = [
        accounts.every(exchange, actor),
        accounts.show(exchange, actor, "ada"),
        accounts.add(exchange, actor, Account("new", "New", Role.ADMIN), passphrase=GOOD),
        accounts.set_passphrase(exchange, actor, "ada", GOOD),
        accounts.disable(exchange, actor, "ada"),
        accounts.enable(exchange, actor, "ada"),
        accounts.unlock(exchange, actor, "ada"),
        accounts.change_role(exchange, actor, name, Role.ADMIN, frozenset()),
        accounts.change_role(exchange, actor, "ada", Role.AUDITOR, frozenset()),
    ]
    for verb in verbs:
        with pytest.raises(Forbidden):
            await verb
    assert [event for event, by, _ in await told(exchange, "account") if by == actor.id] == []


async def test_a27_nobody_raises_or_shuts_an_own_account(exchange: Exchange) -> None:
    ada = (await sign_in(exchange, "ada", GOOD)).account.actor
    with pytest.raises(Forbidden):
        await accounts.change_role(exchange, ada, "ada", Role.AUDITOR, frozenset())
    with pytest.raises(Forbidden):
        await accounts.disable(exchange, ada, "ada")


async def test_people_of_a_party_look_and_do_nothing_in_its_name(exchange: Exchange) -> None:
    nils = (await sign_in(exchange, "nils", GOOD)).account.actor
    assert nils.her_ids == {8110001}
    for action in Action:
        if action is Action.READ:
            continue
        with pytest.raises(CallerError):
            authorise(nils, action)


@pytest.mark.parametrize(
    ("account", "passphrase"),
    [
        (Account("Kari", "Kari", Role.OPERATOR), GOOD),
        (Account("oidc-1", "Kari", Role.OPERATOR), GOOD),
        (Account("-x", "Kari", Role.OPERATOR), GOOD),
        (Account("x" * 33, "Kari", Role.OPERATOR), GOOD),
        (Account("kari", "Kari", Role.OPERATOR), GOOD),
        (Account("new", "", Role.OPERATOR), GOOD),
        (Account("new", "two\nlines", Role.OPERATOR), GOOD),
        (Account("new", "New", Role.OPERATOR), "short"),
        (Account("new", "New", Role.OPERATOR, frozenset({8110001})), GOOD),
        (Account("new", "New", Role.PARTY), GOOD),
        (Account("new", "New", Role.PARTY, frozenset({99})), GOOD),
    ],
)
async def test_an_account_that_cannot_be_is_refused_in_words(
    exchange: Exchange, account: Account, passphrase: str
) -> None:
    with pytest.raises(InvalidRequest):
        await accounts.add(exchange, ADMIN, account, passphrase=passphrase)
    assert len(await accounts.every(exchange, ADMIN)) == 4
