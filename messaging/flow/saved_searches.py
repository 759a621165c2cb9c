"""Saved searches: what a person looks for again and again, kept under a name for that person alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from messaging.errors import Forbidden, InvalidRequest, NotFound
from messaging.flow.exchange import Exchange
from messaging.model.access import Action, permit
from messaging.model.account import account_of
from messaging.model.party import Client
from messaging.model.sight import Sight
from messaging.store import saved_searches

LONGEST_NAME = 80
MOST = 50
"""So many searches somebody may save."""


async def every(exchange: Exchange, actor: Client) -> list[dict[str, Any]]:
    """List the actor's own, by name; none for a system, which has no account."""
    permit(actor, Action.READ)
    account = account_of(actor)
    if account is None:
        return []
    async with exchange.database.read(_own(actor)) as tx:
        return await saved_searches.of(tx, account)


async def save(exchange: Exchange, actor: Client, name: str, filters: Mapping[str, Any]) -> None:
    """Keep filters under a name, in place of those that it named before. Raises InvalidRequest for a name too many."""
    account, named = _person(actor), name.strip()
    if not named or len(named) > LONGEST_NAME:
        raise InvalidRequest(f"Name the search, in at most {LONGEST_NAME} characters.")
    row = {"id": uuid4(), "account": account, "name": named, "filters": dict(filters), "saved_at": exchange.clock()}
    async with exchange.database.write(_own(actor)) as tx:
        if await saved_searches.count(tx.reader, account, but=named) >= MOST:
            raise InvalidRequest(f"There are {MOST} saved searches already; delete one first.")
        await saved_searches.save(tx, row)


async def delete(exchange: Exchange, actor: Client, search_id: UUID) -> None:
    """Drop one of the actor's own. Raises NotFound alike for none and for somebody else's."""
    account = _person(actor)
    async with exchange.database.write(_own(actor)) as tx:
        if not await saved_searches.remove(tx, account, search_id):
            raise NotFound("There is no such saved search, or it is not yours.")


def _person(actor: Client) -> str:
    permit(actor, Action.READ)
    account = account_of(actor)
    if account is None:
        raise Forbidden("Only somebody who has signed in saves searches.")
    return account


def _own(actor: Client) -> Sight:
    """Look with one's own eyes alone, also as an operator."""
    return Sight(client_id=actor.id)
