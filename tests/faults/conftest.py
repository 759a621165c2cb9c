"""What the runs under faults share: a database, a seed, a folder that is kept when a promise was broken."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from faults.figures import KEPT_AS, RUNS, told
from faults.terms import KEPT, REPORT, SECONDS, SEED, hurried
from faults.unsteady import Postgres, postgres

from messaging.settings import Settings
from world import Databases


def pytest_report_header() -> str:
    return f"faults: FAULTS_SEED={SEED} FAULTS_SECONDS={SECONDS:g}, broken runs are kept in {KEPT}"


_REPORTED: dict[str, dict[str, Any]] = {}
"""The figures of each test, where the tests are reported: not in the processes that run them."""


@pytest.fixture(autouse=True)
def run_figures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hand the figures of a test's runs over with its report."""
    RUNS.clear()
    yield
    request.node.user_properties.extend((KEPT_AS, run) for run in RUNS)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "teardown":
        name = report.nodeid.rpartition("::")[2]
        for kept_as, run in report.user_properties:
            if kept_as == KEPT_AS:
                _REPORTED[name] = dict(run)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _REPORTED:
        return
    terminalreporter.section("what the faults did")
    for name, run in sorted(_REPORTED.items()):
        terminalreporter.write_line(told(name, run))
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    report = {"seed": SEED, "seconds": SECONDS, "runs": dict(sorted(_REPORTED.items()))}
    REPORT.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    terminalreporter.write_line(f"the figures are in {REPORT}")


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


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """A PostgreSQL server that may be stopped and cut off: no other test needs it meanwhile."""
    with postgres() as running:
        yield running


@pytest.fixture(scope="session")
def own_databases(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Databases:
    """Databases on that server."""
    return Databases(server.url, tmp_path_factory.mktemp("databases"))


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
