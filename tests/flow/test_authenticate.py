"""Who is calling: each way in, one at a time, and nothing told by a refusal."""

from __future__ import annotations

import pytest

from messaging.errors import Unauthenticated
from messaging.flow.authenticate import authenticate
from messaging.model.credentials import Credentials
from world import World


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


async def test_a_request_without_credentials_learns_how_to_call(running: World) -> None:
    assert 'Bearer realm="samhandling"' in (await refusal(running, carrying(running))).challenges


async def test_two_authorization_headers_are_refused_even_when_both_are_right(running: World) -> None:
    key = f"Bearer {running.keys['sykehus']}"
    assert "one credential only" in str(await refusal(running, carrying(running, key, key)))


@pytest.mark.parametrize("scheme", ["Basic", "Negotiate", "Bearers", ""])
async def test_a_scheme_that_is_not_known_is_refused(running: World, scheme: str) -> None:
    await refusal(running, carrying(running, f"{scheme} {running.keys['sykehus']}"))
