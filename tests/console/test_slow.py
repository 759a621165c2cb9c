"""No page waits for a slow database: the question is broken off after two seconds, and a page says so, on both."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from doors import Api
from messaging.console import entrance
from messaging.errors import TooSlow
from messaging.flow import inspect
from messaging.model.sight import NOTHING
from messaging.store import messages
from messaging.store.session import HURRY, ReadTx
from world import World

ENDLESS = {
    "postgresql": "SELECT count(*) FROM generate_series(1, 1000000000000)",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
}


async def ask_without_end(tx: ReadTx, *_: Any) -> list[Any]:
    await tx.execute(text(ENDLESS[tx.dialect.name]))
    return []


@pytest.mark.parametrize(("language", "title"), [("nb", "Siden ble ikke ferdig"), ("en", "The page was not finished")])
async def test_a_question_without_an_end_is_broken_off_and_a_page_says_so(
    api: Api, monkeypatch: pytest.MonkeyPatch, language: str, title: str
) -> None:
    monkeypatch.setattr(entrance, "LONGEST_LOOK", 0.2)
    with monkeypatch.context() as patch:
        patch.setattr(messages, "search", ask_without_end)
        answer = await (await api.of("operator")).get(f"/console/messages?lang={language}")
        assert answer.status_code == 503
        assert f"<h1>{title}</h1>" in answer.text
    assert (await (await api.of("operator")).get("/console/messages")).status_code == 200, (
        "the connection is well again"
    )


async def test_only_who_is_in_a_hurry_is_broken_off(running: World) -> None:
    token = HURRY.set(0.1)
    try:
        with pytest.raises(TooSlow):
            async with running.exchange.database.read(NOTHING) as tx:
                await ask_without_end(tx)
    finally:
        HURRY.reset(token)
    async with running.exchange.database.read(NOTHING) as tx:
        if tx.dialect.name == "postgresql":
            assert await tx.scalar(text("SHOW statement_timeout")) == "0"
    assert await inspect.every_party(running.exchange, running.clients["operator"])
