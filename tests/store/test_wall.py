"""The second wall, with the code's own checks left out: on PostgreSQL a transaction sees what its sight says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import ColumnElement, Table, delete, func, insert, literal, select, text, update
from sqlalchemy.exc import DBAPIError

import fixtures
from messaging.errors import ConfigurationError, Refused
from messaging.flow import overview
from messaging.flow.acknowledge import Answer, acknowledge
from messaging.flow.receive import Handed, receive
from messaging.flow.retain import place_hold
from messaging.flow.seal import Sealer
from messaging.model.access import Role
from messaging.model.alarm import About, Alarm, Telling
from messaging.model.party import Client
from messaging.model.receipt import ReceiptStatus
from messaging.model.retention import HoldScope
from messaging.model.sight import EVERYTHING, NOTHING, Sight
from messaging.store import alarms, migrate, months, revisions, wall
from messaging.store import tables as t
from messaging.store import tables_of_people as of_people
from messaging.store import tables_of_routes as of_routes
from messaging.store.session import Database, ReadTx
from world import Databases, World, as_application, owning

WARD, NURSING, GP = 8100001, 8110001, 8120001
SENT = "valid/plo/1.6/log_innlagt_n.xml"
WITH_COPY = "valid/plo/1.6/utskrivningsrapport_n.xml"
REFUSED = "invalid/T01/cut_off.xml"

WALLED = sorted(set(t.metadata.tables) - set(wall.OPEN))
SENDER, RECEIVER = Sight(frozenset({WARD}), "sykehus"), Sight(frozenset({NURSING}), "kommune")
FOREIGN = Sight(frozenset({GP, 8120000, -1}), "lege")


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """PostgreSQL alone: SQLite has no row-level security."""
    url = await databases.postgresql()
    yield url
    await databases.drop(url)


@pytest.fixture
async def lived(running: World) -> World:
    """An exchange where hospital and municipality have written to each other, and something of it is in every table."""
    exchange, hospital = running.exchange, running.clients["sykehus"]
    taken = await receive(exchange, hospital, Handed(fixtures.read(SENT), "test"))
    with pytest.raises(Refused):
        await receive(exchange, hospital, Handed(fixtures.read(REFUSED), "test"))
    answer = Answer(NURSING, ReceiptStatus.OK)
    await acknowledge(exchange, running.clients["kommune"], taken.message_id, answer, door="test")
    async with exchange.database.write(EVERYTHING) as tx:
        delivery_id = await tx.connection.scalar(select(t.delivery.c.id))
        await tx.connection.execute(
            t.attempt.insert().values(delivery_id=delivery_id, number=1, started_at=exchange.clock())
        )
        await tx.connection.execute(of_routes.route.insert().values(name="far"))
        await tx.connection.execute(of_routes.mailbox_poll.insert().values(her_id=NURSING, polled_at=exchange.clock()))
        whom = {"her_id": NURSING, "name": "Odd", "phone": "", "email": "", "changed_at": exchange.clock()}
        await tx.connection.execute(of_routes.party_contact.insert().values(whom))
        kari = {"name": "kari", "display_name": "Kari", "role": "operator", "created_at": exchange.clock()}
        await tx.connection.execute(of_people.account.insert().values(kari))
        search = {"id": uuid4(), "account": "kari", "name": "late", "filters": {}, "saved_at": exchange.clock()}
        await tx.connection.execute(of_people.saved_search.insert().values(search))
        rule = UUID(int=1)  # one of those from the start
        stands = Alarm(uuid4(), rule, None, "parked", exchange.clock(), 1, None, told_at=exchange.clock())
        await alarms.open_one(tx, stands)
        told = Telling(uuid4(), stands.id, "webhook", "pager", About.RAISED, exchange.clock())
        await alarms.tell(tx, None, [told])
    admin, review = Client("admin", "admin", Role.ADMIN), exchange.clock() + timedelta(days=1)
    await place_hold(exchange, admin, HoldScope.PARTY, str(NURSING), reason="a complaint", review_at=review)
    await Sealer(exchange).seal()
    await overview.count_on(exchange)
    return running


async def counted(tx: ReadTx, table: Table) -> int:
    return int(await tx.scalar(select(func.count()).select_from(table)) or 0)


def test_every_table_has_a_wall_or_a_reason() -> None:
    assert set(wall.OPEN) <= set(t.metadata.tables)
    assert all(reason for reason in wall.OPEN.values())


async def test_the_wall_stands_before_every_table_that_is_not_left_open(running: World) -> None:
    async with running.exchange.database.read(NOTHING) as tx:
        rows = await tx.execute(
            text(
                """SELECT relname, relrowsecurity AND relforcerowsecurity AS walled,
                (SELECT array_agg(polcmd::text) FROM pg_policy WHERE polrelid = pg_class.oid) AS commands
                FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
                AND relnamespace = 'public'::regnamespace"""
            )
        )
        found = {row.relname: (row.walled, set(row.commands or ())) for row in rows}
    assert set(found) == set(t.metadata.tables) | {"alembic_version"}
    without = [name for name in WALLED if not found[name][0] or not {"r", "a"} <= found[name][1]]
    assert without == [], "give them policies in their revision, or name them in wall.OPEN with the reason"
    assert [name for name in wall.OPEN if found[name][0]] == [], "they have a wall: take them out of wall.OPEN"


@pytest.mark.parametrize("table", WALLED)
async def test_a17_nothing_foreign_is_seen_or_counted(lived: World, table: str) -> None:
    database = lived.exchange.database
    async with database.read(EVERYTHING) as tx:
        assert await counted(tx, t.metadata.tables[table]) > 0, f"the fixture leaves nothing in {table}"
    for sight in (FOREIGN, NOTHING):
        for look in (database.read, database.glance):
            async with look(sight) as tx:
                assert await counted(tx, t.metadata.tables[table]) == 0


@pytest.mark.parametrize("table", WALLED)
async def test_a17_nothing_foreign_is_written(lived: World, table: str) -> None:
    database, target = lived.exchange.database, t.metadata.tables[table]
    async with database.read(EVERYTHING) as tx:
        row = dict((await tx.execute(select(target).limit(1))).mappings().one())
        before = await counted(tx, target)
    for sight in (FOREIGN, NOTHING):
        with pytest.raises(DBAPIError, match="row-level security"):
            async with database.write(sight) as tx:
                await tx.connection.execute(insert(target).values(row))
        name, value = next(iter(row.items()))
        for change in (update(target).values({name: literal(value, target.c[name].type)}), delete(target)):
            if table in wall.APPEND_ONLY:
                with pytest.raises(DBAPIError, match="permission denied"):
                    async with database.write(sight) as tx:
                        await tx.connection.execute(change)
            else:
                async with database.write(sight) as tx:
                    assert (await tx.connection.execute(change)).rowcount == 0
    async with database.read(EVERYTHING) as tx:
        assert await counted(tx, target) == before


async def test_sender_and_receiver_see_what_is_between_them_and_nothing_of_the_logs_own_proofs(lived: World) -> None:
    between = ("message", "payload", "delivery", "attempt", "audit", "notification", "traffic", "receipt_time")
    for sight in (SENDER, RECEIVER):
        async with lived.exchange.database.read(sight) as tx:
            assert [name for name in between if not await counted(tx, t.metadata.tables[name])] == []
            assert await counted(tx, t.seal) == await counted(tx, t.sealed_line) == 0
            lines = list(await tx.scalars(select(t.audit.c.message_id)))
        assert None not in lines, "a party sees lines of its own messages, and no others"
    async with lived.exchange.database.read(SENDER) as tx:
        assert await counted(tx, t.refusal) == 1
    async with lived.exchange.database.read(RECEIVER) as tx:
        assert await counted(tx, t.refusal) == 0, "a refusal is its client's own"


async def test_a_copy_receiver_sees_how_its_message_stands_with_the_others(running: World) -> None:
    taken = await receive(running.exchange, running.clients["sykehus"], Handed(fixtures.read(WITH_COPY), "test"))
    async with running.exchange.database.read(EVERYTHING) as tx:
        receivers = set(await tx.scalars(select(t.delivery.c.receiver_her_id)))
    assert len(receivers) > 1
    for her_id in receivers:
        async with running.exchange.database.read(Sight(frozenset({her_id}))) as tx:
            assert set(await tx.scalars(select(t.delivery.c.receiver_her_id))) == receivers
            assert await tx.scalar(select(t.message.c.id)) == taken.message_id


async def test_a_receiver_moves_its_own_delivery_and_nobody_elses(lived: World) -> None:
    async def moved(sight: Sight, which: ColumnElement[bool]) -> int:
        async with lived.exchange.database.write(sight) as tx:
            return (await tx.connection.execute(update(t.delivery).where(which).values(version=99))).rowcount

    own = t.delivery.c.receiver_her_id == NURSING
    assert await moved(SENDER, own) == 0, "a sender sees the delivery, and does not move it"
    assert await moved(RECEIVER, own) == 1
    async with lived.exchange.database.write(RECEIVER) as tx:
        with pytest.raises(DBAPIError, match="row-level security"):
            await tx.connection.execute(update(t.delivery).where(own).values(receiver_her_id=GP))


@pytest.mark.parametrize(("actor", "about_own"), [("kommune", True), ("kommune", False), ("operator", True)])
async def test_a_party_adds_lines_in_its_own_name_about_its_own_messages(
    lived: World, actor: str, *, about_own: bool
) -> None:
    message_id = await _message_to(lived, NURSING) if about_own else uuid4()
    line = t.audit.insert().values(
        at=lived.exchange.clock(), event="test", actor=actor, message_id=message_id, detail={}
    )
    line = line.inline()  # nothing is asked back: what one may write, one need not see
    if about_own and actor == RECEIVER.client_id:
        async with lived.exchange.database.write(RECEIVER) as tx:
            await tx.connection.execute(line)
        return
    with pytest.raises(DBAPIError, match="row-level security"):
        async with lived.exchange.database.write(RECEIVER) as tx:
            await tx.connection.execute(line)


async def _message_to(lived: World, her_id: int) -> UUID:
    async with lived.exchange.database.read(EVERYTHING) as tx:
        found = await tx.scalar(select(t.delivery.c.message_id).where(t.delivery.c.receiver_her_id == her_id))
    assert found is not None
    return found


async def test_a_sight_ends_with_its_transaction_and_unset_sees_nothing(with_one: World) -> None:
    database = with_one.exchange.database
    async with database.read(EVERYTHING) as tx:
        first = await tx.scalar(text("SELECT pg_backend_pid()"))
        assert await counted(tx, t.message) == 1
    async with database._readers.connect() as connection:
        assert await connection.scalar(text("SELECT pg_backend_pid()")) == first, "the very same connection"
        assert await counted(ReadTx(connection), t.message) == 0


@pytest.fixture
async def with_one(running: World) -> World:
    """An exchange with one message."""
    await receive(running.exchange, running.clients["sykehus"], Handed(fixtures.read(SENT), "test"))
    return running


@pytest.mark.parametrize("told", ["", "{}", "x", "{1,2", "*,1", "** ", "{8110001}x"])
async def test_a_setting_that_makes_no_sense_shows_nothing(with_one: World, told: str) -> None:
    async with with_one.exchange.database.read(NOTHING) as tx:
        await tx.execute(text("SELECT set_config('samhandling.her_ids', :told, true)"), {"told": told})
        try:
            assert await counted(tx, t.message) == 0
        except DBAPIError as error:
            assert "malformed array" in str(error)  # noqa: PT017 - refused outright is as good


async def test_the_application_is_neither_owner_nor_superuser_and_the_check_knows(running: World) -> None:
    database = running.exchange.database
    async with database.read(NOTHING) as tx:
        assert await wall.weaknesses(tx) == []
    async with owning(database) as owned, owned.write(EVERYTHING) as tx:
        await tx.connection.execute(text("ALTER TABLE payload NO FORCE ROW LEVEL SECURITY"))
        told = " ".join(await wall.weaknesses(tx.reader))
    for word in ("superuser", "owns the tables", "before payload", "lines of accepted, audit, seal, sealed_line"):
        assert word in told


async def test_sqlite_says_that_it_has_no_second_wall(databases: Databases) -> None:
    database = Database(await databases.sqlite())
    try:
        async with database.read(NOTHING) as tx:
            (told,) = await wall.weaknesses(tx)
        assert "SQLite has no row-level security" in told
    finally:
        await database.close()


@pytest.fixture
async def two_roles(databases: Databases) -> AsyncIterator[tuple[Database, Database]]:
    """An empty database, as the application has it, and as its owner does."""
    url = await databases.empty_postgresql()
    application, owner = Database(as_application(url), pool_size=2), Database(url, pool_size=2)
    async with owner.alter() as tx:  # as every PostgreSQL from 15 on has it
        await tx.connection.execute(text("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
    yield application, owner
    await application.close()
    await owner.close()
    await databases.drop(url)


async def test_a_role_that_may_not_migrate_is_told_what_to_do(two_roles: tuple[Database, Database]) -> None:
    application, owner = two_roles
    with pytest.raises(ConfigurationError, match="SAMHANDLING_MIGRATION_URL"):
        await revisions.require_current(application)
    await migrate.upgrade(application, owner=owner)
    await revisions.require_current(application)
    async with owner.write(EVERYTHING) as tx:
        await tx.connection.execute(text("UPDATE alembic_version SET version_num = '0002'"))
    with pytest.raises(ConfigurationError, match="samhandling migrate"):
        await revisions.require_current(application)


async def test_the_application_gets_the_rights_it_needs_and_no_more(two_roles: tuple[Database, Database]) -> None:
    application, owner = two_roles
    for _ in range(2):
        await migrate.upgrade(application, owner=owner)
    rights = text(
        """SELECT relname, privilege FROM pg_class, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE',
        'REFERENCES', 'TRIGGER']) AS privilege WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
        AND has_table_privilege(oid, privilege)"""
    )
    async with application.read(NOTHING) as tx:
        held: dict[str, set[str]] = {}
        for row in await tx.execute(rights):
            held.setdefault(row.relname, set()).add(row.privilege)
        assert await wall.weaknesses(tx) == []
    assert not any(map(months.is_part, held)), "it reaches the parts through the whole only"
    for name in t.metadata.tables:
        appended = {"SELECT", "INSERT"}
        assert held[name] == (appended if name in wall.APPEND_ONLY else appended | {"UPDATE", "DELETE"}), name
    assert held["alembic_version"] == {"SELECT"}
