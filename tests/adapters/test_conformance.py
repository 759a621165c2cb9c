"""What the exchange may rely on, whatever the kind: run over every kind that is shipped."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from far_sides import CANARY, DOCUMENT, PATIENCE, Exchange, FarSide, far_side_of, listening, parcel
from pydantic import ValidationError

from messaging.registry import GROUP
from messaging.spi import Accepted, Deferred, Refused, Rejected, Sent, Submission, Verdict

KINDS = ("memory", "http_post", "file_drop")


@pytest.fixture(params=KINDS)
async def far_side(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FarSide]:
    async with far_side_of(request.param, tmp_path) as far_side:
        yield far_side


@pytest.fixture(params=[kind for kind in KINDS if kind != "http_post"])
async def taking_in(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FarSide]:
    async with far_side_of(request.param, tmp_path) as far_side:
        yield far_side


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a path object would hold a descriptor more


async def test_a_parcel_arrives_byte_for_byte(far_side: FarSide) -> None:
    async with far_side.open() as adapter:
        assert isinstance(await adapter.deliver(parcel()), Sent)
        assert far_side.received() == [DOCUMENT]


async def test_an_empty_and_a_large_document_arrive_unchanged(far_side: FarSide) -> None:
    large = os.urandom(3_000_000)
    async with far_side.open() as adapter:
        assert isinstance(await adapter.deliver(parcel(1, content=b"")), Sent)
        assert isinstance(await adapter.deliver(parcel(2, content=large)), Sent)
        assert sorted(far_side.received()) == [b"", large]


async def test_the_same_parcel_twice_is_taken_twice_and_is_never_another(far_side: FarSide) -> None:
    async with far_side.open() as adapter:
        first = await adapter.deliver(parcel())
        again = await adapter.deliver(parcel(attempt=2))
        assert isinstance(first, Sent)
        assert isinstance(again, Sent)
        assert set(far_side.received()) == {DOCUMENT}


async def test_many_parcels_at_once_arrive_each_as_itself(far_side: FarSide) -> None:
    contents = {f"<Melding>{number}</Melding>".encode() for number in range(20)}
    async with far_side.open() as adapter:
        parcels = [parcel(number, content=content) for number, content in enumerate(sorted(contents))]
        outcomes = await asyncio.gather(*(adapter.deliver(one) for one in parcels))
        assert all(isinstance(outcome, Sent) for outcome in outcomes)
        assert set(far_side.received()) == contents


async def test_an_apprec_is_delivered_too(far_side: FarSide) -> None:
    async with far_side.open() as adapter:
        assert isinstance(await adapter.deliver(parcel(is_apprec=True, type="APPREC")), Sent)


async def test_what_an_unwilling_far_side_says_becomes_an_outcome_without_content(
    far_side: FarSide, caplog: pytest.LogCaptureFixture
) -> None:
    async with far_side.open() as adapter:
        await adapter.deliver(parcel(1))
        far_side.refuse()
        outcome = await adapter.deliver(parcel(2))
        assert isinstance(outcome, Sent | Deferred | Refused)
        assert CANARY not in repr(outcome)
        assert "Melding" not in repr(outcome)
        assert CANARY not in caplog.text


async def test_closing_releases_every_connection_and_file(far_side: FarSide) -> None:
    async with far_side.open() as adapter:
        await adapter.deliver(parcel(1))
    before = descriptors()
    for number in range(2, 5):
        async with far_side.open() as adapter:
            await adapter.deliver(parcel(number))
    assert descriptors() <= before


async def test_cancelling_a_delivery_leaves_the_adapter_usable(far_side: FarSide) -> None:
    async with far_side.open() as adapter:
        task = asyncio.create_task(adapter.deliver(parcel(1)))
        await asyncio.sleep(0)  # it has begun
        task.cancel()
        await asyncio.wait([task])
        assert isinstance(await adapter.deliver(parcel(1, attempt=2)), Sent)


async def test_listening_ends_at_once_or_is_cancelled_cleanly(far_side: FarSide) -> None:
    exchange = Exchange()
    before = asyncio.all_tasks()
    async with far_side.open() as adapter:
        listening = asyncio.create_task(adapter.listen(exchange.submit))
        if far_side.takes_in:
            offering = asyncio.create_task(far_side.offer(DOCUMENT))
            await exchange.next()
            listening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await listening
            await asyncio.gather(offering, return_exceptions=True)
        else:
            await asyncio.wait_for(listening, PATIENCE)
    assert asyncio.all_tasks() <= before


async def test_a_document_is_submitted_byte_for_byte_in_the_name_of_the_instance(taking_in: FarSide) -> None:
    exchange = Exchange()
    async with taking_in.open() as adapter, listening(adapter, exchange):
        offering = asyncio.create_task(taking_in.offer(DOCUMENT))
        assert await exchange.next() == Submission(DOCUMENT, source="far-side")
        await offering


@pytest.mark.parametrize(
    "verdict", [Rejected(({"code": "T02", "text": "wrong", "line": 1, "path": "/"},)), Accepted("1", replayed=True)]
)
async def test_the_next_document_is_submitted_after_any_verdict(taking_in: FarSide, verdict: Verdict) -> None:
    exchange = Exchange(verdict)
    async with taking_in.open() as adapter, listening(adapter, exchange):
        first = asyncio.create_task(taking_in.offer(b"<a/>"))
        assert (await exchange.next()).content == b"<a/>"
        second = asyncio.create_task(taking_in.offer(b"<b/>"))
        assert (await exchange.next()).content == b"<b/>"
        await asyncio.gather(first, second)


async def test_settings_refuse_what_they_do_not_know(far_side: FarSide) -> None:
    with pytest.raises(ValidationError, match="unheard_of"):
        far_side.kind.settings(**far_side.settings(), unheard_of=1)


def test_every_shipped_kind_is_in_the_suite() -> None:
    shipped = {point.name for point in entry_points(group=GROUP) if point.module.startswith("adapters.")}
    files = {path.stem for path in (Path(__file__).parents[2] / "adapters").glob("[!_]*.py")}
    assert files == set(KINDS)
    assert shipped <= set(KINDS)
