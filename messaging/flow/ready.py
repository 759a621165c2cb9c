"""Ready: whether the exchange could take a message in now, and if not, everything that stands in its way."""

from __future__ import annotations

import asyncio

from messaging.errors import NotReady, StorageFull, Unavailable
from messaging.flow.exchange import Exchange
from messaging.flow.receive import require_room
from messaging.model.sight import NOTHING
from messaging.store import parties

_PATIENCE = 3.0
"""Seconds that the database gets: whoever asks waits for no more than some seconds either."""


async def require_ready(exchange: Exchange) -> None:
    """Look at everything that taking a message in needs. Raises NotReady with all that is missing."""
    reasons, wait = [], 5
    if exchange.wakeups.closed:
        reasons.append("process: it is stopping; ask another one")
    try:
        require_room(exchange)
    except StorageFull as error:
        reasons.append("disk: it is nearly full; make room, or set SAMHANDLING_DISK_RESERVE_BYTES lower")
        wait = error.retry_after
    try:
        async with asyncio.timeout(_PATIENCE), exchange.database.read(NOTHING) as tx:
            await parties.count(tx)
    except TimeoutError:
        reasons.append(f"database: it has not answered within {_PATIENCE:.0f} seconds; see what holds it up")
    except Unavailable:
        reasons.append("database: it cannot be reached, or refuses; see that it runs and SAMHANDLING_DATABASE_URL fits")
    if reasons:
        raise NotReady(reasons, retry_after=wait)
