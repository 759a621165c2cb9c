"""Every operation to every kind of caller, from the OpenAPI files of all doors; matrix.py says what each answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from matrix import ROWS, Caller, Row, operations
from stage import PATIENT, Stage, set_the_stage

from doors import forget
from messaging.api import create_api
from messaging.settings import Settings
from world import UNHURRIED, Databases, SetClock, world


@pytest_asyncio.fixture(scope="module", params=["sqlite", "postgresql"], loop_scope="module")
async def stage(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """One stage for all rows: what a request changes, no other one looks at."""
    url, clock = await getattr(databases, request.param)(), SetClock()
    key_file = tmp_path_factory.mktemp("matrix") / "key"
    settings = Settings(database_url=url, key_file=key_file, heartbeat_seconds=0.2, **UNHURRIED)
    async with world(settings, clock) as running:
        made = await set_the_stage(running, clock)
        yield made
        forget(made.app)
    await databases.drop(url)


def test_every_operation_has_one_row_and_every_row_an_operation() -> None:
    named, found = Counter(row.name for row in ROWS), Counter(operations(create_api()))
    assert sorted((named - found).elements()) == [], "these rows are of no operation"
    assert sorted((found - named).elements()) == [], "write rows for these operations into matrix.py"
    assert sum(found.values()) * len(Caller) == sum(1 for row in ROWS for _ in Caller)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_a17_each_caller_gets_what_is_its_own_and_nothing_else(stage: Stage, row: Row) -> None:
    wanted = {caller.value: row.answer(caller) for caller in Caller}
    answers = {caller: await stage.call(row, caller) for caller in Caller}
    assert {caller.value: answer.status for caller, answer in answers.items()} == wanted
    for caller, answer in answers.items():
        if answer.status >= 400:
            shown = answer.body + repr(answer.headers).encode()
            assert PATIENT not in shown, f"{caller} is shown something of the document"
