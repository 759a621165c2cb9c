"""Keys of documents: where master keys lie, how they are renewed while the exchange works, and what stops a start."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import subprocess
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

import fixtures
from messaging.app import open_exchange
from messaging.errors import ConfigurationError
from messaging.flow import opening, renew
from messaging.flow.exchange import Exchange
from messaging.flow.receive import Handed, receive
from messaging.model.access import Role
from messaging.model.party import Client
from messaging.model.sight import EVERYTHING
from messaging.private_files import make_secret
from messaging.settings import EnvironmentKeySetting, FileKeySetting, KeySetting, Settings, TokenKeySetting
from messaging.store import payload_keys
from world import SetClock, World, world

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
ADMIN = Client("admin", "admin", Role.ADMIN)
SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"


def another() -> bytes:
    start = ADMITTED.index(b"MsgId>") + len(b"MsgId>")
    return ADMITTED[:start] + str(uuid4()).encode() + ADMITTED[ADMITTED.index(b"<", start) :]


async def send(world: World, content: bytes) -> UUID:
    return (await receive(world.exchange, world.clients["sykehus"], Handed(content, "test"))).message_id


async def uses(exchange: Exchange) -> dict[str, int]:
    async with exchange.database.read(EVERYTHING) as tx:
        return await payload_keys.uses(tx)


def with_keys(settings: Settings, *keys: KeySetting) -> Settings:
    return settings.model_copy(update={"encryption_keys": keys})


def new_file(path: Path) -> FileKeySetting:
    make_secret(path, "test")
    return FileKeySetting(kind="file", path=path)


async def test_a_new_master_key_takes_over_and_the_old_one_is_needed_no_more(
    settings: Settings, clock: SetClock, tmp_path: Path
) -> None:
    new = new_file(tmp_path / "new.key")
    async with world(settings, clock) as running:
        sent = {await send(running, content): content for content in (another() for _ in range(3))}
        before = running.exchange.vault.current
    old = settings.encryption()[0]
    clock.forward(minutes=5)
    async with open_exchange(with_keys(settings, new, old), clock=clock) as exchange:
        made = await renew.rotate(exchange, ADMIN)
        first = await renew.rewrap(exchange, ADMIN)
        assert (first.rewrapped, first.waits, first.destroyed) == (3, True, ())
        clock.forward(minutes=2)
        assert (await renew.rewrap(exchange, ADMIN)).destroyed == (before,)
        assert await uses(exchange) == {made: 3}
        assert {key["master"] for key in await renew.keys(exchange, ADMIN)} == {exchange.vault.master_ids[0]}
    async with open_exchange(with_keys(settings, new), clock=clock) as exchange:
        for message_id, content in sent.items():
            assert await opening.document_of(exchange, EVERYTHING, message_id) == content
    with pytest.raises(ConfigurationError, match="is wrapped with the master key"):
        async with open_exchange(settings, clock=clock):
            pass


async def test_renewing_goes_on_where_it_was_stopped_while_messages_come_in(
    running: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renew, "_AT_A_TIME", 1)
    sent = {await send(running, content): content for content in (another() for _ in range(12))}
    running.clock.forward(minutes=5)
    old, made = running.exchange.vault.current, await renew.rotate(running.exchange, ADMIN)
    renewing = asyncio.create_task(renew.rewrap(running.exchange, ADMIN))
    while not (await uses(running.exchange)).get(made):  # noqa: ASYNC110 - it stands in the database
        await asyncio.sleep(0)
    renewing.cancel()
    await asyncio.gather(renewing, return_exceptions=True)
    assert set(await uses(running.exchange)) == {old, made}, "it was stopped in the middle"
    for message_id, content in sent.items():
        assert await opening.document_of(running.exchange, EVERYTHING, message_id) == content
    again = asyncio.create_task(renew.rewrap(running.exchange, ADMIN))
    late = {await send(running, content): content for content in (another() for _ in range(5))}
    assert not (await again).damaged
    assert await uses(running.exchange) == {made: 17}
    for message_id, content in {**sent, **late}.items():
        assert await opening.document_of(running.exchange, EVERYTHING, message_id) == content


async def test_a_process_learns_the_key_that_another_one_made(
    settings: Settings, clock: SetClock, running: World
) -> None:
    message_id = await send(running, ADMITTED)
    clock.forward(minutes=5)
    async with open_exchange(settings, clock=clock) as other:
        made = await renew.rotate(other, ADMIN)
        await renew.rewrap(other, ADMIN)
    assert await opening.document_of(running.exchange, EVERYTHING, message_id) == ADMITTED
    assert running.exchange.vault.current == made


async def test_what_was_kept_before_there_was_encryption_is_encrypted(running: World) -> None:
    sent = {await send(running, content): content for content in (another() for _ in range(3))}
    async with running.exchange.database.write(EVERYTHING) as tx:
        for message_id, content in sent.items():
            of = {"id": message_id.hex if running.exchange.database.is_sqlite else message_id}
            await tx.connection.execute(text("DELETE FROM payload_key WHERE content_id = :id"), of)
            plain = text("UPDATE payload SET format = 'plain', content = :content WHERE message_id = :id")
            await tx.connection.execute(plain, {**of, "content": content})
    assert await renew.unencrypted(running.exchange, ADMIN) == 3
    left = await renew.rewrap(running.exchange, ADMIN)
    assert (left.encrypted, left.refused) == (0, 3), "what was put there later is not made to look genuine"
    assert sorted((await renew.check(running.exchange, ADMIN))[1]) == sorted(sent)
    vouched = await renew.rewrap(running.exchange, ADMIN, from_before=True)
    assert (vouched.encrypted, vouched.refused) == (3, 0)
    assert not running.exchange.vault.opens_unencrypted
    assert await renew.unencrypted(running.exchange, ADMIN) == 0
    for message_id, content in sent.items():
        assert await opening.document_of(running.exchange, EVERYTHING, message_id) == content
    assert await renew.check(running.exchange, ADMIN) == (3, [])


async def test_a_key_that_was_changed_is_found_by_the_check_and_does_not_stop_the_renewal(running: World) -> None:
    good, bad = [await send(running, another()) for _ in range(2)]
    async with running.exchange.database.write(EVERYTHING) as tx:
        of = {"id": bad.hex if running.exchange.database.is_sqlite else bad, "key": b"x" * 60}
        await tx.connection.execute(text("UPDATE payload_key SET wrapped = :key WHERE content_id = :id"), of)
    assert await renew.check(running.exchange, ADMIN) == (1, [bad])
    running.clock.forward(minutes=5)
    await renew.rotate(running.exchange, ADMIN)
    done = await renew.rewrap(running.exchange, ADMIN)
    assert (done.rewrapped, done.damaged) == (1, (bad,))
    assert await opening.document_of(running.exchange, EVERYTHING, good)


async def test_a_master_key_may_lie_in_the_environment(
    settings: Settings, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASTER_KEY_OF_TEST", base64.b64encode(os.urandom(32)).decode())
    given = with_keys(settings, EnvironmentKeySetting(kind="environment", variable="MASTER_KEY_OF_TEST"))
    async with world(given, clock) as running:
        message_id = await send(running, ADMITTED)
    async with open_exchange(given, clock=clock) as exchange:
        assert await opening.document_of(exchange, EVERYTHING, message_id) == ADMITTED
    monkeypatch.setenv("MASTER_KEY_OF_TEST", "short")
    with pytest.raises(ConfigurationError, match="MASTER_KEY_OF_TEST does not hold 32 bytes"):
        async with open_exchange(given, clock=clock):
            pass


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TokenKeySetting:
    """A token of SoftHSM with an AES key that cannot be taken out."""
    if shutil.which("softhsm2-util") is None or not Path(SOFTHSM).exists():
        pytest.skip("SoftHSM is not installed (Debian: softhsm2), so no PKCS#11 token can be tried here")
    import pkcs11

    label = f"test-{uuid4().hex[:8]}"
    folder = _token_folder(tmp_path)
    monkeypatch.setenv("SOFTHSM2_CONF", str(folder))
    monkeypatch.setenv("PIN_OF_TEST", "1234")
    words = ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", "1234", "--so-pin", "5678"]
    subprocess.run(words, check=True, capture_output=True)  # noqa: S603
    library = pkcs11.lib(SOFTHSM)
    library.reinitialize()
    with library.get_token(token_label=label).open(rw=True, user_pin="1234") as session:
        hidden = {pkcs11.Attribute.EXTRACTABLE: False, pkcs11.Attribute.SENSITIVE: True}
        session.generate_key(pkcs11.KeyType.AES, 256, label="master", store=True, template=hidden)
    return TokenKeySetting(kind="pkcs11", module=Path(SOFTHSM), token=label, key="master", pin_variable="PIN_OF_TEST")


def _token_folder(tmp_path: Path) -> Path:
    (tmp_path / "tokens").mkdir()
    file = tmp_path / "softhsm2.conf"
    file.write_text(f"directories.tokendir = {tmp_path / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n")
    return file


async def test_a_master_key_may_lie_in_a_token_and_never_leave_it(
    settings: Settings, clock: SetClock, token: TokenKeySetting, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = with_keys(settings, token)
    async with world(given, clock) as running:
        message_id = await send(running, ADMITTED)
    async with open_exchange(given, clock=clock) as exchange:
        assert await opening.document_of(exchange, EVERYTHING, message_id) == ADMITTED
    wrong = token.model_copy(update={"key": "another"})
    with pytest.raises(ConfigurationError, match="cannot be used"):
        async with open_exchange(with_keys(settings, wrong), clock=clock):
            pass
    monkeypatch.delenv("PIN_OF_TEST")
    with pytest.raises(ConfigurationError, match="PIN_OF_TEST is not set"):
        async with open_exchange(given, clock=clock):
            pass
