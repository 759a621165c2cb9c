"""A wall behind the code: on PostgreSQL each row is seen only by those whom it is for (row-level security).

Whose eyes a transaction looks with is told by `samhandling.her_ids` (`*`, or an array) and `samhandling.client`, which
last as long as the transaction. Unset, nothing is seen. SQLite has no such thing, and nothing is done there.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

WALLED = (
    "message",
    "payload",
    "delivery",
    "attempt",
    "notification",
    "refusal",
    "audit",
    "sealed_line",
    "seal",
    "traffic",
    "receipt_time",
)

EVERYTHING = "(SELECT sees_everything())"
OURS = "((SELECT seen_her_ids())::integer[])"
THE_CALLER = "(SELECT seeing_client())"
BETWEEN_US = f"{EVERYTHING} OR sender_her_id = ANY {OURS} OR receiver_her_id = ANY {OURS}"

FUNCTIONS = (
    """CREATE FUNCTION sees_everything() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(current_setting('samhandling.her_ids', true) = '*', false) $$""",
    """CREATE FUNCTION seen_her_ids() RETURNS integer[] LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN current_setting('samhandling.her_ids', true) LIKE '{%}'
    THEN current_setting('samhandling.her_ids', true)::integer[] ELSE '{}' END $$""",
    """CREATE FUNCTION seeing_client() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT nullif(current_setting('samhandling.client', true), '') $$""",
    # A party sees how its message stands with the other receivers too. The policies of delivery and message would ask
    # each other without end; this function looks with open eyes, for the HER-ids that it is given. It opens and shuts
    # them itself: only a superuser may write such a parameter into a function's definition.
    """CREATE FUNCTION is_between(uuid, integer[]) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
    DECLARE
        looking text := coalesce(current_setting('samhandling.her_ids', true), '');
        is_ours boolean;
    BEGIN
        PERFORM set_config('samhandling.her_ids', '*', true);
        is_ours := EXISTS (SELECT FROM delivery WHERE message_id = $1 AND receiver_her_id = ANY ($2))
            OR EXISTS (SELECT FROM message WHERE id = $1 AND sender_her_id = ANY ($2));
        PERFORM set_config('samhandling.her_ids', looking, true);
        RETURN is_ours;
    END $$""",
)

POLICIES = {
    ("message", "SELECT"): f"""{EVERYTHING} OR sender_her_id = ANY {OURS} OR EXISTS (SELECT FROM delivery
        WHERE delivery.message_id = message.id AND delivery.receiver_her_id = ANY {OURS})""",
    ("payload", "SELECT"): f"{EVERYTHING} OR EXISTS (SELECT FROM message WHERE message.id = payload.message_id)",
    ("delivery", "SELECT"): f"{EVERYTHING} OR receiver_her_id = ANY {OURS} OR is_between(message_id, {OURS})",
    ("delivery", "UPDATE"): f"{EVERYTHING} OR receiver_her_id = ANY {OURS}",
    ("attempt", "SELECT"): f"{EVERYTHING} OR EXISTS (SELECT FROM delivery WHERE delivery.id = attempt.delivery_id)",
    ("notification", "SELECT"): f"{EVERYTHING} OR her_id = ANY {OURS}",
    ("notification", "UPDATE"): f"{EVERYTHING} OR her_id = ANY {OURS}",
    ("refusal", "SELECT"): f"{EVERYTHING} OR client_id = {THE_CALLER}",
    ("audit", "SELECT"): f"{EVERYTHING} OR EXISTS (SELECT FROM message WHERE message.id = audit.message_id)",
    ("audit", "INSERT"): f"""{EVERYTHING} OR (actor = {THE_CALLER}
        AND (message_id IS NULL OR EXISTS (SELECT FROM message WHERE message.id = audit.message_id)))""",
    ("sealed_line", "SELECT"): EVERYTHING,
    ("seal", "SELECT"): EVERYTHING,
    ("traffic", "SELECT"): BETWEEN_US,
    ("receipt_time", "SELECT"): BETWEEN_US,
}
"""Who reads or writes which rows. What is not named here only the exchange itself does, and it does it to all rows."""

APPEND_ONLY = ("audit", "sealed_line", "seal")


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for function in FUNCTIONS:
        op.execute(function)
    for table in WALLED:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        for command in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            if table in APPEND_ONLY and command in ("UPDATE", "DELETE"):
                continue  # nobody does it
            _policy(table, command, POLICIES.get((table, command), EVERYTHING))


def _policy(table: str, command: str, condition: str) -> None:
    using = "" if command == "INSERT" else f" USING ({condition})"
    check = f" WITH CHECK ({condition})" if command in ("INSERT", "UPDATE") else ""
    op.execute(f"CREATE POLICY {table}_{command.lower()} ON {table} FOR {command}{using}{check}")


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in WALLED:
        for command in ("select", "insert", "update", "delete"):
            op.execute(f"DROP POLICY IF EXISTS {table}_{command} ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    op.execute("DROP FUNCTION is_between(uuid, integer[])")
    for function in ("sees_everything", "seen_her_ids", "seeing_client"):
        op.execute(f"DROP FUNCTION {function}()")
