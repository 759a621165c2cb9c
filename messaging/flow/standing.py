"""Standing: what an exchange's database says of how it is set up; `samhandling check --production` weighs it."""

from __future__ import annotations

from dataclasses import dataclass

from messaging.flow.exchange import Exchange
from messaging.model.access import Action, Role, authorise
from messaging.model.party import Client
from messaging.model.sight import NOTHING
from messaging.store import accounts, keys, parties, wall


@dataclass(frozen=True, slots=True)
class Standing:
    """What can be seen from within: the second wall, who may call and how, and who may sign in.

    `endless_keys` are the clients with a live key that never expires; `admins` the accounts that may administer.
    """

    weaknesses: tuple[str, ...]
    her_ids: frozenset[int]
    endless_keys: tuple[str, ...]
    admins: int


async def standing(exchange: Exchange, actor: Client) -> Standing:
    """Look at how the exchange is set up."""
    authorise(actor, Action.ADMINISTER)
    now = exchange.clock()
    async with exchange.database.read(NOTHING) as tx:
        endless = [
            client.id
            for client in await parties.clients(tx)
            if any(key.lives(now) and key.expires_at is None for key in await keys.of_client(tx, client))
        ]
        people = await accounts.every(tx)
        return Standing(
            weaknesses=tuple(await wall.weaknesses(tx)),
            her_ids=frozenset(party.her_id for party in await parties.every(tx)),
            endless_keys=tuple(endless),
            admins=sum(1 for one in people if one.actor.role is Role.ADMIN and one.disabled_at is None),
        )
