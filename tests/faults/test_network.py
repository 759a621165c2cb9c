"""F8, F10: connections are cut, and the far side misbehaves in every way; the circuit opens and closes."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from faults.far_side import MISDEEDS
from faults.processes import House
from faults.proxy import Proxy, before_port
from faults.storm import Conditions, Storm, weather
from faults.traffic import until
from sqlalchemy import func, select

from certificates import Pair, self_signed
from messaging.model.sight import EVERYTHING
from messaging.settings import Settings
from messaging.store.session import Database
from messaging.store.tables import attempt
from messaging.store.tables_of_routes import route


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def test_f8_a_request_that_is_cut_off_is_kept_once_or_not_at_all(
    settings: Settings, folder: Path, draw: random.Random, stack: AsyncExitStack
) -> None:
    proxies: list[Proxy] = []
    urls: list[str] = []

    async def behind_proxies(storm: Storm) -> None:
        for proxy in proxies:
            proxy.cuts = 100
        while not storm.over.is_set():
            await asyncio.sleep(0.1)
            storm.strikes = sum(proxy.cut for proxy in proxies)

    async def heal(_storm: Storm) -> None:
        for proxy in proxies:
            proxy.heal()

    async def start(served: House) -> None:
        instance = served.instance()
        await instance.start()
        proxy, url = await stack.enter_async_context(before_port(instance.port, draw))
        proxies.append(proxy)
        urls.append(url)

    terms = Conditions(urls=lambda _house: urls, start=start, calm_by=heal, least=60)
    found, storm = await weather(settings, folder, draw, behind_proxies, terms)
    assert found == []
    assert storm.strikes >= 60
    assert sum(len(one.accepted) for one in storm.senders) > 0


async def rests(database: Database, wanted: bool) -> bool:  # noqa: FBT001 - the answer itself
    """Tell whether the circuit of the one route is open, or closed, as is wanted."""
    async with database.read(EVERYTHING) as tx:
        row = (await tx.execute(select(route.c.rests_until))).first()
    return row is not None and (row.rests_until is not None) is wanted


async def test_f10_whatever_the_far_side_does_each_message_comes_through_once(
    settings: Settings, folder: Path, draw: random.Random
) -> None:
    async def misbehave(storm: Storm) -> None:
        assert storm.far is not None
        while not storm.over.is_set():
            await asyncio.sleep(0.1)
            storm.strikes = len(storm.far.done) - ("well" in storm.far.done)

    terms = Conditions(pushed=True, bad=60, least=len(MISDEEDS), terms={"route_concurrency": 16})
    found, storm = await weather(settings, folder, draw, misbehave, terms)
    assert found == []
    assert storm.far is not None
    assert set(storm.far.done) == {*MISDEEDS, "well"}
    assert sum(len(one.accepted) for one in storm.senders) > 0


async def test_f10_the_circuit_opens_while_the_far_side_is_away_and_closes_when_it_is_back(
    settings: Settings, folder: Path, draw: random.Random
) -> None:
    seen: list[bool] = []

    async def go_away(storm: Storm) -> None:
        assert storm.far is not None
        database = Database(settings.database_url, pool_size=2)
        try:
            for gone in (True, False):
                if gone:
                    await storm.far.stop_listening()
                else:
                    await storm.far.listen()

                assert await until(lambda wanted=gone: rests(database, wanted), within=60, every=0.05)
                seen.append(gone)
                storm.struck()
        finally:
            await database.close()

    terms = Conditions(pushed=True, bad=0, least=2, terms={"circuit_threshold": 5, "circuit_pause_seconds": 0.5})
    found, storm = await weather(settings, folder, draw, go_away, terms)
    assert found == []
    assert seen == [True, False]
    assert sum(len(one.accepted) for one in storm.senders) > 0


def serving_as(pair: Pair, folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """Write a certificate and its key; gives how to serve with it, and its file."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_text(pair.pem, "ascii")
    key.write_text(pair.key, "ascii")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate


async def test_f10_a_far_side_whose_certificate_nobody_vouches_for_gets_nothing(
    settings: Settings, folder: Path, draw: random.Random, tmp_path: Path
) -> None:
    yesterday, day = datetime.now(UTC) - timedelta(days=1), timedelta(days=1)
    own = serving_as(self_signed(yesterday, 3 * day), tmp_path, "own")
    foreign, _ = serving_as(self_signed(yesterday, 3 * day), tmp_path, "foreign")

    async def impostor(storm: Storm) -> None:
        assert storm.far is not None
        database = Database(settings.database_url, pool_size=2)
        said = attempt.c.detail.like("the server's certificate is not trusted%")

        async def refused() -> bool:
            async with database.read(EVERYTHING) as tx:
                return bool(await tx.scalar(select(func.count()).select_from(attempt).where(said)))

        try:
            assert await until(lambda: _is_true(storm.far is not None and storm.far.done["well"] > 0), within=60)
            await storm.far.stop_listening()
            await storm.far.listen(foreign)
            assert await until(refused, within=60)
            assert storm.far.arrived[1] > 0
            assert storm.far.arrived[2] == 0
            storm.struck()
            await storm.far.stop_listening()
            await storm.far.listen(own[0])
        finally:
            await database.close()

    found, storm = await weather(settings, folder, draw, impostor, Conditions(pushed=True, bad=0, tls=own))
    assert found == []
    assert storm.strikes == 1


async def _is_true(so: bool) -> bool:  # noqa: FBT001 - the answer itself
    return so
