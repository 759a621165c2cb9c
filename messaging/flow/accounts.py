"""Accounts: administrators say who may sign in, and in which role; whatever is taken away ends where it is in use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from messaging.errors import Forbidden, InvalidRequest, NotFound
from messaging.flow.exchange import Exchange
from messaging.model import passphrases
from messaging.model.access import Action, Role, authorise
from messaging.model.account import NAME, Account
from messaging.model.audit import AuditEvent
from messaging.model.party import Client
from messaging.model.sight import EVERYTHING, NOTHING
from messaging.store import accounts, audit, parties, sign_ins
from messaging.store.session import WriteTx

VOUCHED_FOR = "oidc-"
"""Begins the name of every account that an identity provider vouches for."""

_LONGEST_DISPLAY_NAME = 100


@dataclass(frozen=True, slots=True)
class Standing:
    """An account, and until when browsers that never signed in to it must wait."""

    account: Account
    locked_until: datetime | None = None


async def every(exchange: Exchange, actor: Client) -> list[Standing]:
    """List all accounts, by name."""
    authorise(actor, Action.ADMINISTER)
    now = exchange.clock()
    async with exchange.database.read(NOTHING) as tx:
        found, locks = await accounts.every(tx), await accounts.locks(tx)
    return [Standing(one, until if (until := locks.get(one.name)) and until > now else None) for one in found]


async def show(exchange: Exchange, actor: Client, name: str) -> Standing:
    """Read one account. Raises NotFound."""
    found = next((one for one in await every(exchange, actor) if one.account.name == name), None)
    if found is None:
        raise _nobody()
    return found


async def add(exchange: Exchange, actor: Client, account: Account, *, passphrase: str) -> None:
    """Add an account that signs in with a passphrase. Raises InvalidRequest for what cannot be taken."""
    authorise(actor, Action.ADMINISTER)
    if not NAME.fullmatch(account.name) or account.name.startswith(VOUCHED_FOR):
        raise InvalidRequest(
            "An account's name has at most 32 small letters a to z, digits, dots, dashes and underscores, begins with "
            f"a letter or a digit, and not with {VOUCHED_FOR}."
        )
    if not 1 <= len(account.display_name) <= _LONGEST_DISPLAY_NAME or not account.display_name.isprintable():
        raise InvalidRequest(f"A display name has 1 to {_LONGEST_DISPLAY_NAME} characters on one line.")
    password_hash = await _hashed(exchange, account.name, passphrase)
    now = exchange.clock()
    async with exchange.database.write(EVERYTHING) as tx:
        await _require_fitting(tx, account)
        if await accounts.get(tx.reader, account.name):
            raise InvalidRequest("There is an account of this name already; the names of disabled ones stay taken.")
        await accounts.add(tx, account, at=now)
        await accounts.keep_password(tx, account.name, password_hash, changed_at=now)
        await _write(tx, now, AuditEvent.ACCOUNT_ADDED, actor, account.name, **_grants(account))


async def set_passphrase(exchange: Exchange, actor: Client, name: str, passphrase: str) -> None:
    """Give an account a new passphrase, and end it wherever it is signed in."""
    authorise(actor, Action.ADMINISTER)
    password_hash = await _hashed(exchange, name, passphrase)

    async def change(tx: WriteTx, account: Account, now: datetime) -> tuple[AuditEvent, dict[str, Any]]:
        _require_own_passphrase(account)
        await accounts.keep_password(tx, name, password_hash, changed_at=now)
        await accounts.forget_failures(tx, name)
        return AuditEvent.ACCOUNT_PASSWORD_CHANGED, {"ended": await sign_ins.end_all(tx, name)}

    await _change(exchange, actor, name, change)


async def disable(exchange: Exchange, actor: Client, name: str) -> None:
    """Shut an account, and end it wherever it is signed in. Raises Forbidden for one's own."""
    _require_other(actor, name)

    async def change(tx: WriteTx, account: Account, now: datetime) -> tuple[AuditEvent, dict[str, Any]]:
        await accounts.disable(tx, account.name, at=account.disabled_at or now)
        return AuditEvent.ACCOUNT_DISABLED, {"ended": await sign_ins.end_all(tx, name)}

    await _change(exchange, actor, name, change)


async def enable(exchange: Exchange, actor: Client, name: str) -> None:
    """Open a shut account again."""

    async def change(tx: WriteTx, account: Account, _now: datetime) -> tuple[AuditEvent, dict[str, Any]]:
        await accounts.disable(tx, account.name, at=None)
        return AuditEvent.ACCOUNT_ENABLED, {}

    await _change(exchange, actor, name, change)


async def unlock(exchange: Exchange, actor: Client, name: str) -> None:
    """Let somebody try again at once who has been kept waiting after wrong passphrases."""

    async def change(tx: WriteTx, account: Account, _now: datetime) -> tuple[AuditEvent, dict[str, Any]]:
        await accounts.forget_failures(tx, account.name)
        return AuditEvent.ACCOUNT_UNLOCKED, {}

    await _change(exchange, actor, name, change)


async def change_role(exchange: Exchange, actor: Client, name: str, role: Role, her_ids: frozenset[int]) -> None:
    """Change what an account may do, and end it wherever it is signed in. Raises Forbidden for one's own."""
    _require_other(actor, name)

    async def change(tx: WriteTx, account: Account, _now: datetime) -> tuple[AuditEvent, dict[str, Any]]:
        if account.issuer:
            raise InvalidRequest("The identity provider says this account's role; change it there.")
        changed = replace(account, role=role, her_ids=her_ids)
        await _require_fitting(tx, changed)
        await accounts.change_role(tx, changed)
        ended = await sign_ins.end_all(tx, name)
        return AuditEvent.ACCOUNT_ROLE_CHANGED, {"was": account.role.value, **_grants(changed), "ended": ended}

    await _change(exchange, actor, name, change)


Change = Callable[[WriteTx, Account, datetime], Awaitable[tuple[AuditEvent, dict[str, Any]]]]


async def _change(exchange: Exchange, actor: Client, name: str, change: Change) -> None:
    authorise(actor, Action.ADMINISTER)
    now = exchange.clock()
    async with exchange.database.write(EVERYTHING) as tx:
        account = await accounts.hold(tx, name)
        if account is None:
            raise _nobody()
        event, detail = await change(tx, account, now)
        await _write(tx, now, event, actor, name, **detail)


async def _write(tx: WriteTx, at: datetime, event: AuditEvent, actor: Client, name: str, **detail: Any) -> None:
    await audit.write(tx, audit.Line(at, event, actor.id, detail={"account": name, **detail}))


def _grants(account: Account) -> dict[str, Any]:
    return {"role": account.role.value, "parties": sorted(account.her_ids)}


async def _hashed(exchange: Exchange, name: str, passphrase: str) -> str:
    weak = passphrases.weakness(passphrase, name=name)
    if weak:
        raise InvalidRequest(weak)
    return await exchange.passwords.hash(passphrases.normalised(passphrase))


async def _require_fitting(tx: WriteTx, account: Account) -> None:
    if (account.role is Role.PARTY) != bool(account.her_ids):
        raise InvalidRequest("Name the HER-ids of those who look at a party's messages, and of nobody else.")
    unknown = account.her_ids - set(await parties.known(tx.reader, account.her_ids))
    if unknown:
        raise InvalidRequest(f"HER-id {min(unknown)} is not registered; register the party first.")


def _require_other(actor: Client, name: str) -> None:
    if actor.id == f"person:{name}":
        raise Forbidden("Nobody disables or changes the role of an own account; ask another administrator.")


def _require_own_passphrase(account: Account) -> None:
    if account.issuer:
        raise InvalidRequest("An identity provider vouches for this account; it has no passphrase here.")


def _nobody() -> NotFound:
    return NotFound("There is no account of this name.")
