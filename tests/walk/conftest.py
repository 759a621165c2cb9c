"""One served console and one browser for each module of the walk; loud words where there is no browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from walk.walking import NAMES, Walk, chromium, walk

from messaging.settings import Settings
from world import UNHURRIED, Databases

TOLD = "walk"
"""The user property by which a test hands a line to the summary."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and chromium() is None and item.path.stem.endswith("in_chromium"):
            item.add_marker(pytest.mark.skip(reason="there is no Chromium: install Debian's package chromium"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [one for kind in ("passed", "failed", "skipped") for one in terminalreporter.getreports(kind)]
    ours = [one for one in reports if "/walk/" in one.nodeid]
    if not ours:
        return
    terminalreporter.section("the console in Chromium")
    if chromium() is None:
        terminalreporter.line(f"NOT WALKED: none of {', '.join(NAMES)} is on this machine. No page was looked at.")
    for report in ours:
        for name, value in report.user_properties:
            if name == TOLD:
                terminalreporter.line(str(value))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def walked(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Walk]:
    """The console on SQLite; tests/console asks for its pages on both databases."""
    path = chromium()
    assert path is not None
    folder = tmp_path_factory.mktemp("walk")
    settings = Settings(database_url=await databases.sqlite(), key_file=folder / "key", **UNHURRIED)
    async with walk(settings, path) as opened:
        yield opened


@pytest.fixture(autouse=True)
def nothing_wrong(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let no test pass in which a page broke something, ran what it should not, or asked elsewhere."""
    yield
    if "walked" in request.fixturenames:
        walked: Walk = request.getfixturevalue("walked")
        wrong, walked.wrong[:] = list(walked.wrong), []
        assert wrong == []
