"""Who is calling: each way in, one at a time, and nothing told by a refusal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event

import fixtures
from messaging.errors import Forbidden, InvalidRequest, Unauthenticated
from messaging.flow import clients, keys, receive, watch
from messaging.flow.authenticate import authenticate
from messaging.flow.handed import Handed
from messaging.flow.keys import Limits
from messaging.model.access import Action, Role
from messaging.model.credentials import Credentials
from messaging.model.party import Client
from world import World

ADMIN = Client("admin", "admin", Role.ADMIN)
ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")


def carrying(world: World, *authorization: str, **more: str) -> Credentials:
    return Credentials(world.clock(), authorization=authorization, **more)


async def refusal(world: World, credentials: Credentials) -> Unauthenticated:
    with pytest.raises(Unauthenticated) as refused:
        await authenticate(world.exchange, credentials)
    return refused.value


async def test_a_key_tells_who_calls(running: World) -> None:
    caller = await authenticate(running.exchange, carrying(running, f"Bearer {running.keys['sykehus']}"))
    assert caller == running.clients["sykehus"]


async def test_a22_whatever_is_wrong_with_a_key_is_told_in_the_same_words(running: World) -> None:
    key_id, _, secret = running.keys["sykehus"].partition(".")
    wrong = [f"{key_id}.{'x' * 43}", f"{'0' * 12}.{secret}", f"{key_id}.", f"{key_id}", f"{key_id}.ø", "x" * 500]
    told = {str(await refusal(running, carrying(running, f"Bearer {key}"))) for key in wrong}
    assert told == {"The key is missing, unknown, expired or revoked. Send it as: Authorization: Bearer id.secret"}


async def limited(world: World, **limits: Any) -> str:
    return f"Bearer {await keys.add(world.exchange, ADMIN, 'sykehus', Limits(**limits))}"


async def test_a22_a_key_that_has_expired_opens_nothing(running: World) -> None:
    carried = carrying(running, await limited(running, expires_at=running.clock() + timedelta(days=1)))
    assert (await authenticate(running.exchange, carried)).id == "sykehus"
    running.clock.forward(days=1)
    await refusal(running, replace(carried, now=running.clock()))


async def test_a22_a_revoked_key_opens_nothing_from_this_moment_on(running: World) -> None:
    first, second = carrying(running, f"Bearer {running.keys['sykehus']}"), carrying(running, await limited(running))
    assert await keys.revoke(running.exchange, ADMIN, "sykehus", [first.token.partition(".")[0]]) == 1
    await refusal(running, first)
    assert (await authenticate(running.exchange, second)).id == "sykehus"
    assert await keys.revoke(running.exchange, ADMIN, "sykehus", []) == 1
    await refusal(running, second)


async def test_a22_who_is_refused_was_looked_up_whether_the_key_is_known_or_not(running: World) -> None:
    """A key that is remembered would else be refused sooner than one that nobody knows."""
    key_id, _, secret = running.keys["sykehus"].partition(".")
    await authenticate(running.exchange, carrying(running, f"Bearer {running.keys['sykehus']}"))
    for key in (f"{key_id}.{'x' * 43}", f"{'0' * 12}.{secret}"):
        looked: list[str] = []

        def note(*_: object, looked: list[str] = looked) -> None:
            looked.append("")

        event.listen(Engine, "before_cursor_execute", note)
        await refusal(running, carrying(running, f"Bearer {key}"))
        event.remove(Engine, "before_cursor_execute", note)
        assert looked


async def test_a_key_opens_only_from_its_own_networks(running: World) -> None:
    key = await limited(running, networks=("192.0.2.0/24", "2001:db8::/32", "198.51.100.7"))
    for source in ("192.0.2.9", "2001:db8::1", "198.51.100.7", "::ffff:192.0.2.9"):
        assert (await authenticate(running.exchange, carrying(running, key, source=source))).id == "sykehus"
    for source in ("192.0.3.9", "2001:db9::1", "198.51.100.8", "", "unix", "192.0.2.9, 192.0.3.9"):
        await refusal(running, carrying(running, key, source=source))


async def test_a_key_leaves_of_its_clients_rights_what_its_scopes_say(running: World) -> None:
    key = await limited(running, scopes=frozenset({Action.COLLECT}))
    caller = await authenticate(running.exchange, carrying(running, key))
    assert caller.limited_to == {Action.COLLECT}
    with pytest.raises(Forbidden, match="send"):
        await receive.receive(running.exchange, caller, Handed(ADMITTED, "test"))


async def test_a_client_has_two_living_keys_and_no_third(running: World) -> None:
    await limited(running, expires_at=running.clock() + timedelta(days=1))
    with pytest.raises(InvalidRequest, match="2 living keys"):
        await limited(running)
    running.clock.forward(days=1)
    await limited(running)
    with pytest.raises(InvalidRequest, match="2 living keys"):
        await limited(running)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, "expired already"),
        ({"scopes": frozenset({Action.AUDIT})}, "may never audit"),
        ({"networks": ("192.0.2.1/24",)}, "no network"),
        ({"networks": ("example.org",)}, "no network"),
    ],
)
async def test_limits_that_make_no_sense_are_told(running: World, limits: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        await limited(running, **limits)


async def test_the_last_use_of_a_key_is_written_once_a_minute_by_the_watch(running: World) -> None:
    async def last_used() -> datetime | None:
        return (await clients.show(running.exchange, ADMIN, "sykehus")).keys[0].last_used_at

    async def use() -> None:
        await authenticate(running.exchange, carrying(running, f"Bearer {running.keys['sykehus']}"))
        await watch.sweep(running.exchange)
        running.exchange.directory.forget()

    assert await last_used() is None
    first = running.clock()
    await use()
    assert await last_used() == first
    running.clock.forward(seconds=30)
    await use()
    assert await last_used() == first
    running.clock.forward(seconds=30)
    await use()
    assert await last_used() == running.clock()


async def test_a_request_without_credentials_learns_how_to_call(running: World) -> None:
    assert 'Bearer realm="samhandling"' in (await refusal(running, carrying(running))).challenges


async def test_two_authorization_headers_are_refused_even_when_both_are_right(running: World) -> None:
    key = f"Bearer {running.keys['sykehus']}"
    assert "one credential only" in str(await refusal(running, carrying(running, key, key)))


@pytest.mark.parametrize("scheme", ["Basic", "Negotiate", "Bearers", ""])
async def test_a_scheme_that_is_not_known_is_refused(running: World, scheme: str) -> None:
    await refusal(running, carrying(running, f"{scheme} {running.keys['sykehus']}"))
