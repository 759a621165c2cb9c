"""A25: what the exchange calls, over real connections."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
from far_sides import HERE, SECRET, parcel
from http_receiver import Receiver, answer, receiving

from adapters.http_post import KIND, Settings
from messaging.calling import caller, out_of_reach
from messaging.errors import ConfigurationError
from messaging.http import ConnectError, HTTPError
from messaging.reach import PUBLIC, Reach
from messaging.registry import Registry
from messaging.spi import Deferred


class Rebinding:
    """A resolver that tells another address each time it is asked, as an attacker's name server does."""

    def __init__(self, *told: Sequence[str]) -> None:
        self.told, self.asked = list(told), 0

    async def __call__(self, _host: str, _port: int) -> Sequence[str]:
        self.asked += 1
        return self.told.pop(0)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


def port_of(receiver: Receiver) -> str:
    return receiver.url.split(":")[2].split("/")[0]


async def test_a25_a_name_is_resolved_once_and_what_was_checked_is_connected_to(receiver: Receiver) -> None:
    resolver = Rebinding(["127.0.0.1"], ["10.255.255.1"])
    async with caller(HERE, timeout=5, resolve=resolver) as client:
        told = await client.post(f"http://receiver.example:{port_of(receiver)}/", content=b"x")
    assert (told.status_code, resolver.asked) == (200, 1)
    assert receiver.requests[0].headers["host"] == f"receiver.example:{port_of(receiver)}"


async def test_a25_a_name_that_is_bound_anew_to_an_inner_address_is_not_called(receiver: Receiver) -> None:
    resolver = Rebinding(["93.184.215.14"], ["127.0.0.1"])
    url = f"http://receiver.example:{port_of(receiver)}/"
    await PUBLIC.check(url, resolver)
    async with caller(PUBLIC, timeout=5, resolve=resolver) as client:
        with pytest.raises(ConnectError) as failed:
            await client.post(url, content=b"x")
    assert out_of_reach(failed.value)
    assert (receiver.connections, resolver.told) == (0, [])


async def test_a25_a_redirect_to_an_inner_address_is_told_and_never_followed(receiver: Receiver) -> None:
    receiver.answers.append(answer(302, Location="http://169.254.169.254/latest/meta-data/"))
    async with KIND.open("push", Settings(url=receiver.url, secret=SECRET), HERE) as adapter:
        outcome = await adapter.deliver(parcel())
    assert isinstance(outcome, Deferred)
    assert "HTTP 302" in outcome.reason
    assert len(receiver.requests) == 1


async def test_a25_an_instance_whose_url_leads_inside_stops_the_start(receiver: Receiver) -> None:
    configured = {"push": {"kind": "http_post", "url": receiver.url, "secret": SECRET}}
    with pytest.raises(ConfigurationError, match=r"127.0.0.1 is an address of a private.*SAMHANDLING_CALLS_ALLOWED"):
        async with Registry.of(KIND).open(configured):
            pass
    async with Registry.of(KIND).open(configured, Reach.to("127.0.0.0/8")) as adapters:
        await adapters["push"].deliver(parcel())
    assert len(receiver.requests) == 1


async def test_a25_what_the_environment_says_of_proxies_is_not_heard(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    async with caller(HERE, timeout=5) as client:
        assert (await client.post(receiver.url, content=b"x")).status_code == 200


async def test_a25_a_proxy_must_be_within_reach_itself(receiver: Receiver) -> None:
    proxy = f"http://127.0.0.1:{port_of(receiver)}"
    async with caller(PUBLIC, timeout=5, proxy=proxy) as client:
        with pytest.raises(HTTPError):
            await client.post("http://93.184.215.14/", content=b"x")
    async with caller(HERE, timeout=5, proxy=proxy) as client:
        assert (await client.post("http://93.184.215.14/", content=b"x")).status_code == 200
    assert [request.target for request in receiver.requests] == ["http://93.184.215.14/"]


async def test_the_next_address_is_tried_when_one_refuses(receiver: Receiver) -> None:
    async with caller(HERE, timeout=5, resolve=Rebinding(["::1", "127.0.0.1"])) as client:
        told = await client.post(f"http://receiver.example:{port_of(receiver)}/", content=b"x")
    assert told.status_code == 200


async def test_an_answer_that_nobody_asked_for_is_not_the_answer_to_the_next_request(receiver: Receiver) -> None:
    receiver.answers += [answer(200) * 2, answer(503)]
    url = receiver.url.format(receiver=1)
    async with caller(HERE, timeout=5) as client:
        told = [(await client.post(url, content=b"x")).status_code for _ in range(2)]
    assert (told, receiver.connections) == ([200, 503], 2)
