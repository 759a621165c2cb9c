"""Whatever is somebody else's is answered as what does not exist: byte for byte, and after the same queries."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import asgi
import pytest
import pytest_asyncio
from matrix import DOCUMENT, NURSING, ROWS, Caller, Row, as_json, with_new_msg_id
from sqlalchemy import Engine, event
from stage import Stage, set_the_stage

import fixtures
from doors import forget
from messaging.model.audit import AuditEvent
from messaging.model.sight import EVERYTHING
from messaging.settings import Settings
from messaging.store import audit
from world import UNHURRIED, Databases, SetClock, world

IDS = ("message_id", "refusal_id", "notification_id", "any_id")
ABOUT_AN_ID = [row for row in ROWS if any(f"{{{name}}}" in row.name for name in IDS) or row.name.endswith("/delete")]


@pytest_asyncio.fixture(scope="module", params=["sqlite", "postgresql"], loop_scope="module")
async def stage(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """The matrix's stage."""
    url, clock = await getattr(databases, request.param)(), SetClock()
    settings = Settings(database_url=url, key_file=tmp_path_factory.mktemp("foreign") / "key", **UNHURRIED)
    async with world(settings, clock) as running:
        made = await set_the_stage(running, clock)
        yield made
        forget(made.app)
    await databases.drop(url)


@contextmanager
def queries() -> Iterator[list[str]]:
    """Write down every statement that is sent to the database."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def asked(stage: Stage, row: Row, names: dict[str, str]) -> tuple[int, dict[str, str], bytes, list[str]]:
    """Ask as the third organisation; what is told of the request itself is taken out of the answer."""
    exchange = stage.scene.world.exchange
    await stage.call(row, Caller.THIRD, **names)
    exchange.directory.forget()
    with queries() as sent:
        answer = await stage.call(row, Caller.THIRD, **names)
    headers = dict(answer.headers)
    request_id = headers.pop("x-request-id")
    body = answer.body.replace(request_id.encode(), b"REQUEST")
    for value in names.values():
        body = body.replace(value.encode(), b"ID")
    return answer.status, headers, body, sent


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("row", [row for row in ABOUT_AN_ID if row.prepare is None], ids=lambda row: row.name)
async def test_a17_a_foreign_id_is_answered_as_an_unknown_one(stage: Stage, row: Row) -> None:
    known = {name: str(stage.scene.names()[name]) for name in IDS}
    foreign = await asked(stage, row, known)
    unknown = await asked(stage, row, {name: str(uuid4()) for name in IDS})
    assert foreign[:3] == unknown[:3]
    assert foreign[3], "whatever is asked, the database is asked who calls"
    assert foreign[3] == unknown[3], "the same queries, in number and kind"
    assert foreign[0] in (204, 403, 404)


async def _document(stage: Stage, caller: Caller, door: str, content: bytes, **more: Any) -> asgi.Answer:
    row = next(row for row in ROWS if row.name == {"main": "main POST /documents"}.get(door, f"{door} POST /messages"))
    key = await stage.key(caller, row)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": row.media_type, **more.get("headers", {})}
    if door != "main":
        headers |= {"api-version": door[1:], "nhn-source-system": "Test, 1"}
    assert row.body is not None
    body = row.body({"document": content})
    if fields := more.get("fields"):
        body = as_json({**json.loads(body), **fields})
    return await asgi.ask(stage.app, "POST", row.path or row.name.split()[2], headers, body)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("door", ["main", "v2", "v3"])
@pytest.mark.parametrize("caller", [Caller.RECEIVER, Caller.THIRD, Caller.OPERATOR, Caller.ADMIN])
async def test_a16_whoever_sends_in_a_foreign_name_is_refused_and_stands_in_the_trail(
    stage: Stage, door: str, caller: Caller
) -> None:
    exchange = stage.scene.world.exchange
    async with exchange.database.read(EVERYTHING) as tx:
        before = len(await audit.recent(tx, limit=10_000, event=AuditEvent.DOCUMENT_REFUSED))
    answer = await _document(stage, caller, door, with_new_msg_id(fixtures.read(DOCUMENT)))
    assert answer.status == 403
    async with exchange.database.read(EVERYTHING) as tx:
        lines = await audit.recent(tx, limit=10_000, event=AuditEvent.DOCUMENT_REFUSED)
    assert len(lines) == before + 1
    actor = stage.scene.world.clients[{Caller.RECEIVER: "kommune", Caller.THIRD: "third"}.get(caller, caller.value)]
    assert (lines[-1]["actor"], lines[-1]["detail"]["reason"]) == (actor.id, "sender")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("door", ["v2", "v3"])
@pytest.mark.parametrize("field", ["role", "herIds", "clientId", "id", "state", "__proto__"])
async def test_a18_a_field_that_the_door_does_not_know_is_refused(stage: Stage, door: str, field: str) -> None:
    document = with_new_msg_id(fixtures.read(DOCUMENT))
    answer = await _document(stage, Caller.SENDER, door, document, fields={field: "admin"})
    assert answer.status == 400
    assert b"is not known here" in answer.body


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "header",
    [
        "X-Org",
        "X-Organization",
        "X-HER-Id",
        "X-Forwarded-For",
        "X-Forwarded-User",
        "X-Real-IP",
        "X-Client-Id",
        "X-Role",
    ],
)
async def test_a18_a_header_that_says_who_one_is_changes_nothing(stage: Stage, header: str) -> None:
    spoofed = {header: {"X-Role": "admin", "X-Client-Id": "sykehus"}.get(header, str(NURSING))}
    document = with_new_msg_id(fixtures.read(DOCUMENT))
    assert (await _document(stage, Caller.THIRD, "main", document, headers=spoofed)).status == 403
    row = next(row for row in ROWS if row.name == "v3 GET /messages/{message_id}")
    key = await stage.key(Caller.THIRD, row)
    headers = {"api-version": "3", "nhn-source-system": "Test, 1", **spoofed}
    for authorization, status in (({"Authorization": f"Bearer {key}"}, 404), ({}, 401)):
        url = f"/messages/{stage.scene.message_id}"
        answer = await asgi.ask(stage.app, "GET", url, headers | authorization)
        assert answer.status == status


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("door", "again"), [("main", 200), ("v2", 201), ("v3", 202)])
async def test_a23_what_is_sent_again_gets_its_first_answer_and_other_bytes_a_conflict(
    stage: Stage, door: str, again: int
) -> None:
    document = with_new_msg_id(fixtures.read(DOCUMENT))
    first = await _document(stage, Caller.SENDER, door, document)
    second = await _document(stage, Caller.SENDER, door, document)
    assert (second.status, second.headers["idempotent-replayed"]) == (again, "true")
    assert _id(first) == _id(second)
    other = await _document(stage, Caller.SENDER, door, document.replace(b"</MsgHead>", b"<!-- other --></MsgHead>"))
    assert other.status == 409
    kept = await stage.call(
        next(row for row in ROWS if row.name == "main GET /documents/{message_id}"),
        Caller.SENDER,
        message_id=_id(first),
    )
    assert kept.body == document


def _id(answer: asgi.Answer) -> str:
    told = json.loads(answer.body)
    return str(told if isinstance(told, str) else told["id"])


@pytest.mark.asyncio(loop_scope="module")
async def test_a23_somebody_elses_replay_is_no_way_to_its_answer(stage: Stage) -> None:
    document = with_new_msg_id(fixtures.read(DOCUMENT))
    first = await _document(stage, Caller.SENDER, "main", document)
    replayed = await _document(stage, Caller.THIRD, "main", document)
    assert replayed.status == 403
    assert _id(first).encode() not in replayed.body
