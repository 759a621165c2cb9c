"""F19: an upgrade of a database with messages in it is killed half-way; the next one finishes it, and all is there."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest
from alembic import command
from faults.dying import Point
from faults.processes import environment_of, house
from faults.storm import registered
from faults.test_killed import DYING
from faults.test_rot import fetched, sent
from sqlalchemy import Connection

from messaging.settings import Settings
from messaging.store import migrate, revisions
from messaging.store.session import Database
from world import as_owner

BEFORE = "0017"
"""The tables of some releases ago, from which several steps lead to today's."""
PASSAGES = [1, 4]


async def as_it_was(settings: Settings) -> None:
    """Take the tables back to what they were; the rows of messages stay."""

    def back(connection: Connection) -> None:
        with migrate._config(connection) as config:
            command.downgrade(config, BEFORE)

    database = Database(as_owner(settings.database_url), pool_size=2)
    try:
        async with database.alter() as tx:
            await tx.connection.run_sync(back)
        assert await revisions.revision_of(database) == BEFORE
    finally:
        await database.close()


async def ended(settings: Settings, *program: str) -> int:
    environment = environment_of(settings)
    if not settings.database_url.startswith("sqlite"):
        environment["SAMHANDLING_MIGRATION_URL"] = as_owner(settings.database_url)
    process = await asyncio.create_subprocess_exec(sys.executable, *program, env=environment)
    return await process.wait()


@pytest.mark.parametrize("passage", PASSAGES)
async def test_f19_an_upgrade_that_was_killed_is_finished_by_the_next_and_every_message_is_there(
    settings: Settings, folder: Path, passage: int
) -> None:
    keys = await registered(settings)
    async with house(settings, folder) as served:
        (instance,) = served.instances
        messages = await sent(instance, keys["sykehus"])
        await instance.stop()
        await as_it_was(settings)
        assert await ended(settings, DYING, Point.IN_MIGRATION, str(passage), "migrate") == -signal.SIGKILL
        assert await ended(settings, "-m", "messaging", "migrate") == 0
        await instance.start()
        for message_id in messages:
            assert (await fetched(instance, keys["kommune"], message_id)).status_code == 200
        assert len(await sent(instance, keys["sykehus"])) == len(messages)
        await instance.stop()
    assert await ended(settings, "-m", "messaging", "audit", "verify") == 0
