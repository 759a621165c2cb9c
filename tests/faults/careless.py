"""Runs `samhandling` without what makes a commit wait for the disk: a control, which must lose something.

`python careless.py serve`. The product has no switch for this, and refuses to start on such a database.
"""

from __future__ import annotations

import sys
from typing import Any

from messaging import cli
from messaging.store import session, sqlite


async def _trusting(_connection: Any) -> None:
    return None


def be_careless() -> None:
    """Let this process open databases that would lose what they confirmed."""
    careful = sqlite.prepare

    def prepare(connection: Any, record: Any, **more: int) -> None:
        careful(connection, record, **more)
        connection.cursor().execute("PRAGMA synchronous=OFF")

    session.require_safe = _trusting  # type: ignore[assignment, attr-defined]
    sqlite.prepare = prepare  # type: ignore[assignment]


if __name__ == "__main__":
    be_careless()
    sys.argv[0] = "samhandling"
    cli.main()
