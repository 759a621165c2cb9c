"""Months: on PostgreSQL what grows is kept by months, which are made ahead and go whole when they are empty."""

from __future__ import annotations

from datetime import timedelta

from messaging.flow.exchange import Exchange
from messaging.model.sight import EVERYTHING
from messaging.store import months

_AHEAD = 3
"""This month and the two behind it: a process that looks once a day has two months to notice that it could not."""

_A_WHILE = timedelta(days=2)
"""A month is over when it has been for so long, whatever a clock says."""


async def make_ahead(exchange: Exchange) -> list[str]:
    """Make the months that will be needed; names the parts that were not there. None on SQLite."""
    if exchange.database.is_sqlite:
        return []
    async with exchange.database.write(EVERYTHING) as tx:
        return await months.make(tx, exchange.clock().date(), _AHEAD)


async def drop_empty(exchange: Exchange) -> list[str]:
    """Drop the parts of months that are over and in which nothing is left; names them. None on SQLite."""
    if exchange.database.is_sqlite:
        return []
    over = (exchange.clock() - _A_WHILE).date().replace(day=1)
    async with exchange.database.write(EVERYTHING) as tx:
        return await months.drop(tx, over)
