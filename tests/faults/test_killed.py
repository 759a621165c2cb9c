"""F1, F2: processes are killed, at any moment and at named points; nothing is lost, and nothing is invented."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from pathlib import Path

import pytest
from faults.dying import Point
from faults.processes import environment_of
from faults.storm import Conditions, Storm, weather
from faults.striking import kill_at_random

from messaging.settings import Settings
from world import Databases

PASSAGES = range(1, 6)
DYING = str(Path(__file__).with_name("dying.py"))


@pytest.mark.parametrize("pushed", [False, True], ids=["collected", "pushed"])
async def test_f1_nothing_is_lost_while_processes_are_killed(
    settings: Settings, folder: Path, draw: random.Random, *, pushed: bool
) -> None:
    instances = 1 if settings.database_url.startswith("sqlite") else 2
    terms = Conditions(instances=instances, pushed=pushed, least=3)
    found, storm = await weather(settings, folder, draw, kill_at_random, terms)
    assert found == []
    assert storm.strikes >= 3
    assert sum(len(one.accepted) for one in storm.senders) > 0


@pytest.mark.parametrize("point", [point for point in Point if point is not Point.IN_MIGRATION])
async def test_f2_nothing_is_lost_when_a_process_dies_at(
    settings: Settings, folder: Path, draw: random.Random, point: Point
) -> None:
    async def die_there(storm: Storm) -> None:
        (victim,) = storm.house.instances
        await victim.kill()
        for passage in PASSAGES:
            await victim.start(ready=False, program=(sys.executable, DYING, point, str(passage), "serve"))
            assert await victim.ended() == -signal.SIGKILL
            storm.struck()
        await victim.start()

    terms = Conditions(pushed=point in (Point.AFTER_CLAIM, Point.AFTER_SEND), bad=0, least=len(PASSAGES))
    found, storm = await weather(settings, folder, draw, die_there, terms)
    assert found == []
    assert storm.strikes == len(PASSAGES)
    assert sum(len(one.accepted) for one in storm.senders) > 0


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("passage", PASSAGES)
async def test_f2_a_migration_that_died_is_finished_by_the_next(
    databases: Databases, tmp_path: Path, kind: str, passage: int
) -> None:
    url = f"sqlite:///{tmp_path}/new.db" if kind == "sqlite" else await databases.empty_postgresql()
    environment = environment_of(Settings(database_url=url, key_file=tmp_path / "key"))

    async def run(*program: str) -> int:
        process = await asyncio.create_subprocess_exec(sys.executable, *program, env=environment)
        return await process.wait()

    try:
        assert await run(DYING, Point.IN_MIGRATION, str(passage), "migrate") == -signal.SIGKILL
        assert await run("-m", "messaging", "migrate") == 0
        assert await run("-m", "messaging", "check") == 0
    finally:
        await databases.drop(url)
