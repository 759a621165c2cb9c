"""The demo with access tokens: an issuer beside the exchange, and systems that get their tokens from it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from joserfc.jwk import ECKey

import fixtures
from messaging.demo.auth import ByToken
from messaging.demo.issuer import Registered, TokenIssuer
from messaging.demo.serving import address_of, listen, serving_beside
from messaging.demo.world import Guest
from messaging.flow import clients, token_holders
from messaging.flow.exchange import Exchange
from messaging.model.access import Role
from messaging.model.party import Client
from messaging.store.bindings import TokenHolder

_AUDIENCE = "samhandling:demo"
_SCOPE = "samhandling:demo/messages"
_OPERATORS_ORGANISATION = "100000999"
"""Of an organisation that there is not: no real number begins with 1."""

_DEMO = Client("demo", "demo", Role.ADMIN)


@dataclass(frozen=True, slots=True)
class Issuing:
    """The issuer as it runs, and the keys with which the systems ask it for tokens."""

    issuer: TokenIssuer
    keys: dict[str, ECKey]
    organisations: dict[str, str]

    def settings(self) -> dict[str, Any]:
        """Give the settings of an exchange that takes the issuer's tokens, and none that are not bound."""
        trusted = {"url": self.issuer.url, "audience": _AUDIENCE, "scopes": {_SCOPE: ()}}
        return {"token_issuers": (trusted,), "calls_allowed": ("127.0.0.0/8",)}

    async def introduce(self, exchange: Exchange, guests: list[Guest]) -> list[Guest]:
        """Let each guest's tokens speak for its client, and those of earlier runs no longer; they call by them now."""
        for guest in guests:
            holder = TokenHolder(self.issuer.url, guest.name, self.organisations[guest.name])
            for earlier in (await clients.show(exchange, _DEMO, guest.client.id)).tokens:
                await token_holders.remove(exchange, _DEMO, guest.client.id, earlier)
            await token_holders.add(exchange, _DEMO, guest.client.id, holder)
        return [replace(guest, auth=ByToken(self.issuer.url, guest.name, self.keys[guest.name])) for guest in guests]


@asynccontextmanager
async def issuing() -> AsyncIterator[Issuing]:
    """Run an issuer, on a free port of this machine, that knows the demo's systems."""
    parties = {party.her_id: party for party in fixtures.parties()}
    organisations = {
        client.name: next((parties[one].org_number for one in sorted(client.her_ids)), _OPERATORS_ORGANISATION)
        for client in fixtures.clients()
    }
    keys = {name: ECKey.generate_key("P-256") for name in organisations}
    registered = {name: Registered(keys[name], parent=number) for name, number in organisations.items()}
    with listen("127.0.0.1", 0) as socket:
        issuer = TokenIssuer(address_of(socket), registered, audience=_AUDIENCE, scope=_SCOPE)
        async with serving_beside(issuer, socket):
            yield Issuing(issuer, keys, organisations)
