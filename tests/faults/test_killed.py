"""F1: processes are killed at any moment, under load; nothing that was accepted is lost, and nothing is invented."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from faults.storm import Storm, weather
from faults.terms import SECONDS

from messaging.settings import Settings

RESTART_WITHIN = 5.0


async def kill_at_random(storm: Storm) -> None:
    """Kill one process after the other, at a moment that nobody chose, and start it again."""
    while not storm.over.is_set():
        await asyncio.sleep(storm.draw.uniform(0.2, 1.2))
        victim = storm.draw.choice(storm.house.instances)
        await victim.kill()
        await asyncio.sleep(storm.draw.uniform(0, 0.3))
        await victim.start()


@pytest.mark.parametrize("pushed", [False, True], ids=["collected", "pushed"])
async def test_f1_nothing_is_lost_while_processes_are_killed(
    settings: Settings, folder: Path, draw: random.Random, *, pushed: bool
) -> None:
    instances = 1 if settings.database_url.startswith("sqlite") else 2
    found, storm = await weather(
        settings, folder, draw, kill_at_random, seconds=SECONDS, instances=instances, pushed=pushed
    )
    assert found == []
    assert sum(one.kills for one in storm.house.instances) >= 3
    assert sum(len(one.accepted) for one in storm.senders) > 0
    assert max(one.slowest_start for one in storm.house.instances) < RESTART_WITHIN
