"""F7: the clock of one host jumps by a day, there and back; nothing is lost, taken twice, or put off for good."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from faults.figures import RUNS
from faults.processes import House
from faults.storm import Conditions, Storm, weather

from messaging.settings import Settings

DAY = 86_400
SKEWED = str(Path(__file__).with_name("skewed.py"))
BY_THE_HOSTS_CLOCK = ("I4 no attempt", "I8", "I10", "I13")
"""On SQLite the times in the database are the host's; these rules compare them, and judge nothing when it jumps."""


async def test_f7_a_clock_that_jumps_by_a_day_harms_nothing(
    settings: Settings, folder: Path, draw: random.Random, tmp_path: Path
) -> None:
    shift = tmp_path / "shift"
    shift.write_text("0", "ascii")
    is_sqlite = settings.database_url.startswith("sqlite")

    def move(seconds: int) -> None:
        new = shift.with_suffix(".new")
        new.write_text(str(seconds), "ascii")
        new.rename(shift)

    async def start(served: House) -> None:
        if not is_sqlite:
            await served.instance().start()
        await served.instance(program=(sys.executable, SKEWED, str(shift), "serve")).start()

    async def jump(storm: Storm) -> None:
        while not storm.over.is_set():
            for seconds in (DAY, -DAY, 0):
                move(seconds)
                await asyncio.sleep(draw.uniform(0.5, 1.5))
                storm.struck()

    async def come_right(_storm: Storm) -> None:
        # What was put off on SQLite while its clock was ahead is due when that time comes.
        move(2 * DAY if is_sqlite else DAY)

    terms = Conditions(start=start, pushed=True, least=6, calm_by=come_right)
    found, storm = await weather(settings, folder, draw, jump, terms)
    judged = [one for one in found if not (is_sqlite and one.rule.startswith(BY_THE_HOSTS_CLOCK))]
    RUNS[-1]["promises_broken"] = len(judged)
    assert judged == []
    assert storm.strikes >= 6
    assert sum(len(one.accepted) for one in storm.senders) > 0
