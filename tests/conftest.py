"""What every test may ask for: both databases, a clock, an exchange that runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from leak_watch import pytest_configure, pytest_runtest_makereport
from messaging.settings import Settings
from world import UNHURRIED, Databases, SetClock, World, postgres_server, world

__all__ = ["pytest_configure", "pytest_runtest_makereport"]  # pytest finds the watch over the suite's output here


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """A PostgreSQL server and the templates; no server is an error and never a skip."""
    with postgres_server() as url:
        yield Databases(url, tmp_path_factory.mktemp("databases"))


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(request: pytest.FixtureRequest, databases: Databases) -> AsyncIterator[str]:
    """A fresh, migrated database: every test that asks for it runs on both."""
    url = await getattr(databases, request.param)()
    yield url
    await databases.drop(url)


@pytest.fixture
def clock() -> SetClock:
    """A clock that stands still until the test moves it."""
    return SetClock()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings on a fresh database."""
    return Settings(
        database_url=database_url,
        key_file=tmp_path / "key",
        heartbeat_seconds=0.2,
        **UNHURRIED,
    )


@pytest.fixture
async def running(settings: Settings, clock: SetClock) -> AsyncIterator[World]:
    """An exchange with the fixtures' parties; deliveries and the watch run only when a test calls them."""
    async with world(settings, clock) as opened:
        yield opened
