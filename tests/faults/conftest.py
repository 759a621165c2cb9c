"""What the runs under faults share: a database, a seed, a folder that is kept when a promise was broken."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from faults.terms import KEPT, SECONDS, SEED, hurried

from messaging.settings import Settings
from world import Databases


def pytest_report_header() -> str:
    return f"faults: FAULTS_SEED={SEED} FAULTS_SECONDS={SECONDS:g}, broken runs are kept in {KEPT}"


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> random.Random:
    """A source of chance that the seed in the header repeats."""
    return random.Random(f"{SEED} {request.node.name}")  # noqa: S311 - faults, no secret


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(request: pytest.FixtureRequest, databases: Databases) -> AsyncIterator[str]:
    """A fresh, migrated database of each kind."""
    url = await getattr(databases, request.param)()
    yield url
    await databases.drop(url)


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """The run's folder, which outlives the run when its test fails."""
    made = tmp_path / "run"
    made.mkdir()
    failed = request.session.testsfailed
    yield made
    if request.session.testsfailed > failed:
        KEPT.mkdir(exist_ok=True)
        made.rename(KEPT / f"{request.node.name}-{SEED}-{uuid4().hex[:6]}")


@pytest.fixture
def settings(database_url: str, folder: Path) -> Settings:
    """Settings that hurry, so that retries and leases come round within a run."""
    return hurried(database_url, folder)
