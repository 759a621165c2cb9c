"""F18: bits turn where things are stored; what was hit is named and never given out, and all else goes on."""

from __future__ import annotations

import random
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
from faults.gathering import AUDITOR
from faults.processes import Instance, house
from faults.storm import registered
from faults.traffic import document, until
from sqlalchemy import select

from messaging.app import open_exchange
from messaging.flow.verify import verify
from messaging.http import AsyncClient, Response
from messaging.model.audit import AuditEvent
from messaging.model.seal import Finding, Verdict
from messaging.model.sight import EVERYTHING
from messaging.settings import Settings
from messaging.store import tables as t
from messaging.store.session import Database
from world import as_owner

MESSAGES = 8
XML = {"Content-Type": "application/xml"}
EDI = {"api-version": "3", "nhn-source-system": "Faults, 1.0"}


async def sent(instance: Instance, key: str) -> dict[str, bytes]:
    """Send some documents; gives each by the id that it got."""
    found = {}
    async with AsyncClient(base_url=instance.url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
        for _ in range(MESSAGES):
            content = document(str(uuid4()))
            answer = await client.post("/documents", content=content, headers=XML)
            found[answer.json()["id"]] = content
    return found


async def fetched(instance: Instance, key: str, message_id: str) -> Response:
    headers = {"Authorization": f"Bearer {key}", "Accept": "application/xml", **EDI}
    async with AsyncClient(base_url=instance.url, headers=headers, timeout=30) as client:
        return await client.get(f"/messages/{message_id}/business-document")


def turned(content: bytes, draw: random.Random) -> bytes:
    """Turn one bit."""
    place = draw.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << draw.randrange(8)]) + content[place + 1 :]


async def stored(settings: Settings, message_id: str) -> bytes:
    database = Database(settings.database_url, pool_size=2)
    try:
        async with database.read(EVERYTHING) as tx:
            content = await tx.scalar(select(t.payload.c.content).where(t.payload.c.message_id == UUID(message_id)))
            assert isinstance(content, bytes)
            return content
    finally:
        await database.close()


async def rot_document(settings: Settings, message_id: str, draw: random.Random) -> None:
    """Turn one bit of a document: in the SQLite file itself, where it lies whole, or on PostgreSQL in its row."""
    content = await stored(settings, message_id)
    if settings.database_url.startswith("sqlite"):
        _rot_file(Path(settings.database_url.removeprefix("sqlite:///")), content, turned(content, draw))
        return
    await _execute(settings, "UPDATE payload SET content = $1 WHERE message_id = $2", turned(content, draw), message_id)


async def rot_line(settings: Settings, message_id: str) -> None:
    """Change one character of the line that says that a message was received."""
    if settings.database_url.startswith("sqlite"):
        # The detail is written as JSON with the size in it; behind the message's id in the row.
        file = Path(settings.database_url.removeprefix("sqlite:///"))
        with closing(sqlite3.connect(file)) as connection:
            query = "SELECT detail FROM audit WHERE event = 'message.received' AND message_id = ?"
            (detail,) = connection.execute(query, (UUID(message_id).hex,)).fetchone()
        _rot_file(file, UUID(message_id).hex.encode() + detail.encode(), None)
        return
    await _execute(settings, "ALTER TABLE audit DISABLE TRIGGER ALL")
    changed = """UPDATE audit SET detail = jsonb_set(detail, '{size}', '1')
        WHERE event = 'message.received' AND message_id = $1"""
    await _execute(settings, changed, message_id)


def _rot_file(file: Path, whole: bytes, instead: bytes | None) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    pages = bytearray(file.read_bytes())
    if instead is None:  # a character of the last number in the detail of the line's own row
        row = b"message\\.received.{0,80}?" + whole[:32] + b".{0,80}?" + re.escape(whole[32:])
        (found,) = re.finditer(row, bytes(pages), re.DOTALL)
        pages[found.end() - 2] ^= 1
    else:
        differ = next(number for number in range(len(whole)) if whole[number] != instead[number])
        begin = max(0, differ - 16)
        place = pages.index(whole[begin : differ + 16])
        pages[place + differ - begin] = instead[differ]
    file.write_bytes(pages)


async def _execute(settings: Settings, statement: str, *values: object) -> None:
    connection = await asyncpg.connect(as_owner(settings.database_url))
    try:
        await connection.execute(statement, *values)
    finally:
        await connection.close()


async def test_f18_a_document_whose_bits_turned_is_never_given_out_and_the_rest_is(
    settings: Settings, folder: Path, draw: random.Random
) -> None:
    keys = await registered(settings)
    async with house(settings, folder) as served:
        (instance,) = served.instances
        messages = await sent(instance, keys["sykehus"])
        await instance.stop()
        hit = draw.choice(list(messages))
        await rot_document(settings, hit, draw)
        await instance.start()
        for message_id, content in messages.items():
            answer = await fetched(instance, keys["kommune"], message_id)
            if message_id == hit:
                assert answer.status_code == 503
                assert content[:64] not in answer.content
            else:
                assert answer.status_code == 200
        await instance.stop()
    database = Database(settings.database_url, pool_size=2)
    try:
        async with database.read(EVERYTHING) as tx:
            query = select(t.audit.c.message_id).where(t.audit.c.event == AuditEvent.PAYLOAD_DAMAGED)
            assert set(await tx.scalars(query)) == {UUID(hit)}
    finally:
        await database.close()


async def test_f18_a_line_of_the_log_whose_bits_turned_is_named_and_the_exchange_goes_on(
    settings: Settings, folder: Path, draw: random.Random
) -> None:
    keys = await registered(settings)
    async with house(settings, folder) as served:
        (instance,) = served.instances
        messages = await sent(instance, keys["sykehus"])
        await _sealed(settings, list(messages)[-1])
        await instance.stop()
        hit = draw.choice(list(messages))
        line = await _line(settings, hit)
        await rot_line(settings, hit)
        await instance.start()
        assert len(await sent(instance, keys["sykehus"])) == MESSAGES
        await instance.stop()
    wrong = [one for one in await _findings(settings) if not one.is_notice]
    assert [(one.verdict, one.line) for one in wrong] == [(Verdict.EDITED, line)]


async def _line(settings: Settings, message_id: str) -> int:
    database = Database(settings.database_url, pool_size=2)
    try:
        async with database.read(EVERYTHING) as tx:
            c = t.audit.c
            query = select(c.id).where(c.event == AuditEvent.MESSAGE_RECEIVED, c.message_id == UUID(message_id))
            return int(await tx.scalar(query) or 0)
    finally:
        await database.close()


async def _sealed(settings: Settings, message_id: str) -> None:
    """Wait until the running exchange has sealed what it wrote of a message."""
    line = await _line(settings, message_id)
    database = Database(settings.database_url, pool_size=2)

    async def is_sealed() -> bool:
        async with database.read(EVERYTHING) as tx:
            return await tx.scalar(select(t.sealed_line.c.line_id).where(t.sealed_line.c.line_id == line)) is not None

    try:
        assert await until(is_sealed, within=30)
    finally:
        await database.close()


async def _findings(settings: Settings) -> list[Finding]:
    async with open_exchange(settings) as exchange:
        return (await verify(exchange, AUDITOR)).findings
