"""F13: a process stands still for longer than its leases last, and goes on as if nothing had been."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

from faults.storm import Conditions, Storm, weather

from messaging.settings import Settings


async def test_f13_a_process_that_stood_still_changes_nothing_that_others_have_taken_over(
    settings: Settings, folder: Path, draw: random.Random
) -> None:
    async def stand_still(storm: Storm) -> None:
        while not storm.over.is_set():
            await asyncio.sleep(draw.uniform(0.3, 1.5))
            victim = draw.choice(storm.house.instances)
            begun = time.time()
            victim.pause()
            try:
                await asyncio.sleep(settings.lease_seconds + draw.uniform(0.5, 2))
            finally:
                victim.go_on()
            storm.pauses.append((begun, time.time()))
            storm.struck()

    instances = 1 if settings.database_url.startswith("sqlite") else 2
    found, storm = await weather(
        settings, folder, draw, stand_still, Conditions(instances=instances, pushed=True, least=3)
    )
    assert found == []
    assert storm.strikes >= 3
    assert sum(len(one.accepted) for one in storm.senders) > 0
