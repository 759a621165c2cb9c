"""Whoever tries the demo signs in as one person, with a passphrase that holds for this run."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass

from messaging.flow import accounts
from messaging.flow.exchange import Exchange
from messaging.model.access import Role
from messaging.model.account import Account
from messaging.model.party import Client

_ADMIN = Client("demo", "demo", Role.ADMIN)
_NAME = "vakt"
_PASSPHRASE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Person:
    """A name and a passphrase for the page where people sign in."""

    name: str
    passphrase: str

    def as_json(self) -> dict[str, str]:
        """Tell it as demo.json does."""
        return asdict(self)


async def admit(exchange: Exchange) -> Person:
    """Give the demo's administrator a new passphrase, and an account at the first run."""
    person = Person(_NAME, secrets.token_urlsafe(_PASSPHRASE_BYTES))
    if any(one.account.name == _NAME for one in await accounts.every(exchange, _ADMIN)):
        await accounts.set_passphrase(exchange, _ADMIN, _NAME, person.passphrase)
    else:
        account = Account(_NAME, "Vakt", Role.ADMIN)
        await accounts.add(exchange, _ADMIN, account, passphrase=person.passphrase)
    return person
