"""The database's address: one URL in libpq's words for every connection, and what is refused in words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from tls_front import Front, front

from certificates import self_signed
from messaging.errors import ConfigurationError
from messaging.model.sight import NOTHING
from messaging.store import migrate
from messaging.store.address import async_url, crosses_unverified
from messaging.store.session import Database
from messaging.store.wakeups import Wakeups
from world import Databases

DAY = timedelta(days=1)


@pytest.fixture
async def empty(databases: Databases) -> AsyncIterator[str]:
    url = await databases.empty_postgresql()
    yield url
    await databases.drop(url)


@pytest.fixture
async def encrypted(empty: str, tmp_path: Path) -> AsyncIterator[Front]:
    """An empty database, reached by TLS with a certificate for localhost, which lies in root.pem."""
    pair = self_signed(datetime.now(UTC) - DAY, 2 * DAY, address=None)
    (tmp_path / "root.pem").write_text(pair.pem)
    async with front(make_url(empty), pair, tmp_path) as opened:
        yield opened


def url_of(empty: str, to: Front, query: str, host: str = "localhost") -> str:
    inside = make_url(empty)
    user = f"{inside.username}:{inside.password}" if inside.password else inside.username
    return f"postgresql://{user}@{host}:{to.port}/{inside.database}?{query}"


async def test_one_url_brings_tls_to_the_migrations_the_transactions_and_the_wakeups(
    empty: str, encrypted: Front, tmp_path: Path
) -> None:
    url = url_of(empty, encrypted, f"sslmode=verify-full&sslrootcert={tmp_path}/root.pem")
    database, owner = Database(url), Database(url)
    try:
        await migrate.upgrade(database, owner=owner)
        await database.check()
        async with database.read(NOTHING) as tx:
            assert await tx.scalar(text("SHOW timezone")) == "UTC"
        assert encrypted.encrypted >= 2
        encrypted.arrived.clear()
        running = asyncio.create_task(Wakeups(database).run())
        async with asyncio.timeout(10):
            await encrypted.arrived.wait()
        running.cancel()
        await asyncio.wait({running})
    finally:
        await database.close()
        await owner.close()


@pytest.mark.parametrize(
    ("query", "host", "words"),
    [
        ("sslmode=verify-full&sslrootcert={folder}/root.pem", "127.0.0.1", "IP address mismatch"),
        ("sslmode=verify-ca&sslrootcert={folder}/other.pem", "localhost", "self-signed certificate"),
        ("sslmode=verify-full&sslrootcert={folder}/none.pem", "localhost", "none.pem, named as sslrootcert, is not"),
        ("sslmode=verify-full", "localhost", "Name the file with the authority's certificate as sslrootcert"),
        ("sslmode=verify-full&sslrootcert={folder}/text.pem", "localhost", "TLS to the database failed"),
    ],
)
async def test_a_database_that_is_not_who_it_should_be_is_refused_in_words(
    *,
    empty: str,
    encrypted: Front,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    query: str,
    host: str,
    words: str,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "other.pem").write_text(self_signed(datetime.now(UTC) - DAY, 2 * DAY).pem)
    (tmp_path / "text.pem").write_text("no certificate")
    url = url_of(empty, encrypted, query.format(folder=tmp_path), host)
    with pytest.raises(ConfigurationError, match=words):
        await _checked(url)
    with pytest.raises(ConfigurationError, match=words):
        await _migrated(url)


async def test_the_authority_alone_may_be_asked_for(empty: str, encrypted: Front, tmp_path: Path) -> None:
    await _checked(url_of(empty, encrypted, f"sslmode=verify-ca&sslrootcert={tmp_path}/root.pem", "127.0.0.1"))
    assert encrypted.encrypted == 1


@pytest.mark.parametrize("mode", ["require", "verify-full"])
async def test_a_database_without_tls_is_refused_in_words_when_tls_is_demanded(
    empty: str, tmp_path: Path, mode: str
) -> None:
    (tmp_path / "root.pem").write_text(self_signed(datetime.now(UTC) - DAY, 2 * DAY).pem)
    async with front(make_url(empty), None, tmp_path) as bare:
        with pytest.raises(ConfigurationError, match="does not offer TLS"):
            await _checked(url_of(empty, bare, f"sslmode={mode}&sslrootcert={tmp_path}/root.pem"))


async def test_an_unknown_database_and_a_refused_user_are_told_in_words(empty: str) -> None:
    with pytest.raises(ConfigurationError, match="has no database of the name"):
        await _checked(make_url(empty).set(database="nobody_made_it").render_as_string(hide_password=False))
    with pytest.raises(ConfigurationError, match="does not let its user in"):
        await _checked(make_url(empty).set(username="nobody_made_it").render_as_string(hide_password=False))


async def _checked(url: str) -> None:
    database = Database(url)
    try:
        await database.check()
    finally:
        await database.close()


async def _migrated(url: str) -> None:
    database = Database(url)
    try:
        await migrate.upgrade(database)
    finally:
        await database.close()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("sslmode=yes", "sslmode must be one of disable, .*, verify-full"),
        ("sslmode=", "parameter sslmode with no value"),
        ("ssl=require", "parameter ssl, which is not taken; write sslmode="),
        ("sslmod=require", "parameter sslmod, which is not taken; it may have host, "),
        ("host=a&host=b", "parameter host twice; several hosts are host=a,b"),
    ],
)
def test_what_nobody_reads_in_an_address_is_refused_in_words(query: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        async_url(f"postgresql://app@db/samhandling?{query}")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app@db/samhandling",
        "postgresql://app@db/samhandling?sslmode=require",
        "postgresql://app@192.0.2.7:5432/samhandling?sslmode=prefer",
        "postgresql://app@[2001:db8::7]:5432/samhandling",
        "postgresql://app@/samhandling?host=127.0.0.1,db",
        "postgresql://app@/samhandling?host=localhost:5433,192.0.2.7:5432",
    ],
)
def test_an_address_over_a_network_that_nobody_vouches_for_is_named(url: str) -> None:
    assert crosses_unverified(url)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///samhandling.db",
        "postgresql:///samhandling",
        "postgresql://app@/samhandling?host=/run/postgresql",
        "postgresql://app@localhost/samhandling",
        "postgresql://app@127.0.0.1:5433/samhandling",
        "postgresql://app@[::1]/samhandling",
        "postgresql://app@/samhandling?host=localhost:5433,127.0.0.2",
        "postgresql://app@db/samhandling?sslmode=verify-full",
        "postgresql://app@db/samhandling?sslmode=verify-ca",
    ],
)
def test_an_address_on_this_machine_or_that_is_vouched_for_is_not_named(url: str) -> None:
    assert not crosses_unverified(url)


def test_what_the_environment_says_to_libpq_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db")
    assert crosses_unverified("postgresql:///samhandling")
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert not crosses_unverified("postgresql:///samhandling")
    assert crosses_unverified("postgresql:///samhandling?sslmode=require"), "the URL wins"
