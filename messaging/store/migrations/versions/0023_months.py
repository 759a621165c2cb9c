"""On PostgreSQL messages, documents, their keys, deliveries and notifications are kept by months.

What was there before becomes the part that takes whatever no month takes. A month is made ahead and goes whole when
nothing is left in it; both are done by functions of the tables' owner, since the application owns nothing. SQLite has
no such thing, and nothing is done there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


class Divided(NamedTuple):
    """A table, the id by which it is divided, and its keys, each of which holds that id; and its keys before."""

    name: str
    by: str
    key: str
    key_before: str
    unique: tuple[str, ...] = ()
    unique_before: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()
    """Found by, without being unique over all months."""


DIVIDED = (
    Divided(
        "message",
        "id",
        "id",
        "id",
        unique_before=("answers_id, sender_her_id", "sender_her_id, msg_id"),
        plain=("answers_id",),
    ),
    Divided("payload", "message_id", "message_id", "message_id"),
    Divided("payload_key", "content_id", "content_id", "content_id"),
    Divided(
        "delivery",
        "message_id",
        "message_id, id",
        "id",
        unique=("message_id, receiver_her_id",),
        unique_before=("message_id, receiver_her_id",),
        plain=("id",),
    ),
    Divided("notification", "id", "id", "position", unique_before=("id",), plain=("position",)),
)
"""What is unique over all months stands in `accepted`."""

OFTEN = (
    "autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_analyze_scale_factor = 0.02"
)
"""Rows that are changed several times are cleared away before looks have to pass over many that are dead."""
CHANGED = ("delivery", "notification")
SETTINGS = {
    **{f"{name}_before": OFTEN for name in CHANGED},
    "attempt": OFTEN,
    # What is only added to: seen by index alone, and frozen, little by little instead of once for all.
    "audit": "autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02",
    "sealed_line": "autovacuum_vacuum_insert_scale_factor = 0.02",
}

ATTEMPTS = (
    "ALTER TABLE attempt ADD CONSTRAINT fk_attempt_delivery_id FOREIGN KEY (delivery_id) REFERENCES delivery (id)"
)

BEFORE = "_before"
SETTING = re.compile(r"autovacuum\w+")
MOST = 63

_FOREIGN = sa.text(
    "SELECT conrelid::regclass::text AS held, conname AS name, pg_get_constraintdef(oid) AS definition "
    "FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND connamespace = current_schema()::regnamespace "
    "AND (conrelid = ANY (CAST(:tables AS regclass[])) OR confrelid = ANY (CAST(:tables AS regclass[])))"
)
_POLICIES = sa.text(
    "SELECT tablename, policyname, cmd, qual, with_check FROM pg_policies WHERE schemaname = current_schema()"
)
_INDEXES = sa.text(
    "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename = :name "
    "AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = format('%I', indexname)::regclass)"
)
_KEYS = sa.text("SELECT conname FROM pg_constraint WHERE conrelid = CAST(:name AS regclass) AND contype IN ('p', 'u')")
_SEQUENCES = sa.text(
    "SELECT s.oid::regclass::text, a.attname FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' "
    "JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid "
    "WHERE d.refobjid = CAST(:name AS regclass) AND d.deptype = 'a'"
)
_GRANTED = sa.text(
    "SELECT DISTINCT quote_ident(rolname) FROM pg_class, aclexplode(relacl) AS given JOIN pg_roles ON "
    "pg_roles.oid = given.grantee WHERE pg_class.oid = CAST(:name AS regclass) AND given.grantee <> relowner"
)


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    foreign, policies = _taken_off()
    for one in DIVIDED:
        _divide(one)
    # Nothing is unique over months by less than what divides them, so that an attempt's delivery is not held to exist.
    _put_back([constraint for constraint in foreign if " attempt " not in constraint], policies)
    for name, settings in SETTINGS.items():
        op.execute(f"ALTER TABLE {name} SET ({settings})")
    op.execute(FIRST_ID)
    op.execute(MAKE)
    op.execute(DROP)
    for function in FUNCTIONS:
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")


def _taken_off() -> tuple[list[str], list[str]]:
    """Take off what holds the tables to each other, so that others can take their places; says how to put it on."""
    connection, foreign, policies = op.get_bind(), [], []
    names = [one.name for one in DIVIDED]
    for held, name, definition in connection.execute(_FOREIGN, {"tables": names}).all():
        foreign.append(f"ALTER TABLE {held} ADD CONSTRAINT {name} {definition}")
        op.execute(f"ALTER TABLE {held} DROP CONSTRAINT {name}")
    for table, name, command, using, check in connection.execute(_POLICIES).all():
        conditions = (f" USING ({using})" if using else "") + (f" WITH CHECK ({check})" if check else "")
        policies.append(f"CREATE POLICY {name} ON {table} FOR {command}{conditions}")
        op.execute(f"DROP POLICY {name} ON {table}")
    return foreign, policies


def _put_back(foreign: Iterable[str], policies: Iterable[str]) -> None:
    for statement in (*policies, *foreign):  # whoever looks whether a row is there must be allowed to see it
        op.get_bind().exec_driver_sql(statement)


def _divide(one: Divided) -> None:
    """Put a divided table in the place of one that is not, which becomes the part for whatever no month takes."""
    name, before = one.name, f"{one.name}{BEFORE}"
    indexes = _without_keys(name)
    for index, _ in indexes:
        op.execute(f"ALTER INDEX {index} RENAME TO {index[: MOST - len(BEFORE)]}{BEFORE}")
    op.execute(f"ALTER TABLE {name} RENAME TO {before}")
    op.execute(f"CREATE TABLE {name} (LIKE {before} INCLUDING DEFAULTS) PARTITION BY RANGE ({one.by})")
    _take_over(before, name)
    _add_keys(name, one.key, one.unique, one.plain)
    _add_indexes(name, indexes)
    op.execute(f"ALTER TABLE {name} ATTACH PARTITION {before} DEFAULT")
    # Whoever owns it looks into it; the application has no business with a part.
    op.execute(f"ALTER TABLE {before} NO FORCE ROW LEVEL SECURITY")
    for (role,) in op.get_bind().execute(_GRANTED, {"name": before}).all():
        op.execute(f"REVOKE ALL ON {before} FROM {role}")


def _without_keys(name: str) -> list[Any]:
    """Take a table's keys off, and read its other indexes."""
    connection = op.get_bind()
    for (constraint,) in connection.execute(_KEYS, {"name": name}).all():
        op.execute(f"ALTER TABLE {name} DROP CONSTRAINT {constraint}")
    return list(connection.execute(_INDEXES, {"name": name}).all())


def _take_over(earlier: str, name: str) -> None:
    """Let a table number and guard its rows as an earlier one does."""
    for sequence, column in op.get_bind().execute(_SEQUENCES, {"name": earlier}).all():
        op.execute(f"ALTER SEQUENCE {sequence} OWNED BY {name}.{column}")
    op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")


def _add_keys(name: str, key: str, unique: Iterable[str], plain: Iterable[str]) -> None:
    op.execute(f"ALTER TABLE {name} ADD CONSTRAINT pk_{name} PRIMARY KEY ({key})")
    for columns in unique:
        op.execute(f"ALTER TABLE {name} ADD CONSTRAINT uq_{name}_{columns.replace(', ', '_')} UNIQUE ({columns})")
    for columns in plain:
        op.execute(f"CREATE INDEX ix_{name}_{columns} ON {name} ({columns})")


def _add_indexes(name: str, indexes: Iterable[Any]) -> None:
    for index, definition in indexes:
        begun = rf"\g<1>{index} ON {name}"
        op.execute(re.sub(r"^(CREATE (?:UNIQUE )?INDEX )\S+ ON (?:ONLY )?\S+", begun, definition))


FUNCTIONS = ("make_months(date, integer)", "drop_months(date)")
_PARTS = ", ".join(f"('{one.name}', '{one.by}')" for one in reversed(DIVIDED))
"""What holds to others comes before them."""

FIRST_ID = """
CREATE FUNCTION first_id_of(month date) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT rpad(lpad(to_hex((extract(epoch FROM month::timestamp AT TIME ZONE 'UTC') * 1000)::bigint), 12, '0'),
        32, '0')::uuid
$$
"""

MAKE = f"""
CREATE FUNCTION make_months(first date, months integer) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    month date;
    part text;
    low uuid;
    high uuid;
    divided record;
    taken boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(7201950);
    PERFORM set_config('lock_timeout', '2s', true);
    FOR month IN SELECT (date_trunc('month', first) + make_interval(months => n))::date
        FROM generate_series(0, months - 1) AS n
    LOOP
        low := first_id_of(month);
        high := first_id_of((month + interval '1 month')::date);
        FOR divided IN SELECT * FROM (VALUES {_PARTS}) AS known (name, own)
        LOOP
            part := divided.name || to_char(month, '"_"YYYY_MM');
            CONTINUE WHEN to_regclass(part) IS NOT NULL;
            -- Ids of the older kind fall anywhere: where some do, the month's rows go where those are.
            EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE %I >= $1 AND %I < $2)', divided.name || '{BEFORE}',
                divided.own, divided.own) INTO taken USING low, high;
            CONTINUE WHEN taken;
            -- Apart first: attaching lets others go on that only read and write the months that are there.
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS)', part, divided.name);
            IF divided.name IN {CHANGED} THEN
                EXECUTE format('ALTER TABLE %I SET ({OFTEN})', part);
            END IF;
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                divided.name, part, low, high);
            RETURN NEXT part;
        END LOOP;
    END LOOP;
END $$
"""  # noqa: S608 - names of ours

DROP = f"""
CREATE FUNCTION drop_months(before date) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    part text;
    divided record;
    taken boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(7201950);
    PERFORM set_config('lock_timeout', '2s', true);
    FOR divided IN SELECT * FROM (VALUES {_PARTS}) AS known (name, own)
    LOOP
        FOR part IN SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = divided.name::regclass
            AND inhrelid::regclass::text ~ (divided.name || '_[0-9]{{4}}_[0-9]{{2}}$')
            AND to_date(right(inhrelid::regclass::text, 7), 'YYYY_MM') + interval '1 month' <= before
        LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM %s)', part) INTO taken;
            CONTINUE WHEN taken;
            EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', part);
            EXECUTE format('SELECT EXISTS (SELECT FROM %s)', part) INTO taken;
            CONTINUE WHEN taken;
            EXECUTE format('ALTER TABLE %I DETACH PARTITION %s', divided.name, part);
            EXECUTE format('DROP TABLE %s', part);
            RETURN NEXT part;
        END LOOP;
    END LOOP;
END $$
"""  # noqa: S608 - names of ours


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for function in (*FUNCTIONS, "first_id_of(date)"):
        op.execute(f"DROP FUNCTION {function}")
    for name in SETTINGS.keys() - {f"{name}_before" for name in CHANGED}:
        op.execute(f"ALTER TABLE {name} RESET ({', '.join(SETTING.findall(SETTINGS[name]))})")
    foreign, policies = _taken_off()
    for one in DIVIDED:
        _make_one(one)
    _put_back([*foreign, f"{ATTEMPTS} ON DELETE RESTRICT"], policies)


def _make_one(one: Divided) -> None:
    """Put an undivided table with the same rows in the place of a divided one."""
    divided = f"{one.name}_divided"
    for columns in one.plain:
        op.execute(f"DROP INDEX ix_{one.name}_{columns}")
    indexes = _without_keys(one.name)
    op.execute(f"ALTER TABLE {one.name} RENAME TO {divided}")
    op.execute(f"ALTER TABLE {divided} NO FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE TABLE {one.name} (LIKE {divided} INCLUDING DEFAULTS)")
    _take_over(divided, one.name)
    op.execute(f"ALTER TABLE {one.name} NO FORCE ROW LEVEL SECURITY")
    op.execute(f"INSERT INTO {one.name} SELECT * FROM {divided}")  # noqa: S608 - names of ours
    op.execute(f"DROP TABLE {divided}")
    _add_keys(one.name, one.key_before, one.unique_before, ())
    _add_indexes(one.name, indexes)
    op.execute(f"ALTER TABLE {one.name} FORCE ROW LEVEL SECURITY")
