"""Signed in: who holds a browser's token, and how it ends — by its owner, by an administrator, or by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from messaging.errors import Forbidden, InvalidRequest, NotFound, Unauthenticated
from messaging.flow import marks
from messaging.flow.exchange import Exchange
from messaging.flow.sign_in import prove
from messaging.model import passphrases
from messaging.model.access import Action, authorise
from messaging.model.account import Account
from messaging.model.audit import AuditEvent
from messaging.model.party import Client
from messaging.model.sight import EVERYTHING, NOTHING
from messaging.store import accounts, audit, sign_ins
from messaging.store.sign_ins import SignIn as SignIn  # noqa: PLC0414 - the doors ask for it here

_SEEN_EVERY = timedelta(minutes=1)
_LONGEST_TOKEN = 100


class TooWeak(InvalidRequest):
    """The new passphrase is too short, or one of those that are tried first."""


@dataclass(frozen=True, slots=True)
class Present:
    """Somebody who is signed in: the account, this sign-in, and until when it holds if nothing more is heard."""

    account: Account
    sign_in: SignIn
    until: datetime


async def present(exchange: Exchange, token: str) -> Present | None:
    """Tell who holds a token; None when nobody does (any more)."""
    if not token or len(token) > _LONGEST_TOKEN or not token.isascii():
        return None
    async with exchange.database.read(NOTHING) as tx:
        found = await sign_ins.by_token(tx, marks.kept_as(token))
    if found is None:
        return None
    held, account = found
    now = exchange.clock()
    if account.disabled_at is not None or now >= _until(exchange, held):
        return None
    if now - held.seen_at >= _SEEN_EVERY:
        async with exchange.database.write(EVERYTHING) as tx:
            await sign_ins.see(tx, held.id, at=now)
    return Present(account, held, min(held.ends_at, now + exchange.terms.signed_in_idle))


def _until(exchange: Exchange, held: SignIn) -> datetime:
    return min(held.ends_at, held.seen_at + exchange.terms.signed_in_idle)


async def sign_out(exchange: Exchange, token: str) -> None:
    """End the sign-in of a token, if it is one."""
    found = await present(exchange, token)
    if found is None:
        return
    now = exchange.clock()
    async with exchange.database.write(EVERYTHING) as tx:
        if await sign_ins.end(tx, found.sign_in.id):
            detail = {"sign_in": str(found.sign_in.id)}
            await audit.write(tx, audit.Line(now, AuditEvent.SIGNED_OUT, found.account.actor.id, detail=detail))


async def of_account(exchange: Exchange, actor: Client, name: str) -> Sequence[SignIn]:
    """List where a person is signed in, newest first: one's own, and anybody's for an administrator."""
    _require_own(actor, name)
    now = exchange.clock()
    async with exchange.database.read(NOTHING) as tx:
        if await accounts.get(tx, name) is None:
            raise NotFound("There is no account of this name.")
        return [one for one in await sign_ins.of_account(tx, name) if now < _until(exchange, one)]


async def end(exchange: Exchange, actor: Client, sign_in_id: UUID) -> None:
    """End one sign-in: one's own, or anybody's for an administrator. Raises NotFound alike for none and another's."""
    now = exchange.clock()
    async with exchange.database.write(EVERYTHING) as tx:
        found = await sign_ins.get(tx.reader, sign_in_id)
        mine = found is not None and actor.id == f"person:{found.account}"
        if found is None or not (mine or _administers(actor)):
            raise NotFound("There is no such sign-in (any more), or it is not yours to end.")
        await sign_ins.end(tx, sign_in_id)
        detail = {"account": found.account, "sign_in": str(sign_in_id)}
        await audit.write(tx, audit.Line(now, AuditEvent.SIGN_INS_ENDED, actor.id, detail=detail))


async def change_passphrase(
    exchange: Exchange, who: Present, current: str, wanted: str, *, mark: str = "", address: str = ""
) -> None:
    """Let a person change the own passphrase who knows it; every sign-in ends, and the next is with the new one.

    Raises InvalidRequest when the current one is wrong (it counts as a failure) or the new one is weak, and
    TooManyRequests.
    """
    name = who.account.name
    if who.account.issuer:
        raise InvalidRequest("An identity provider vouches for this account; change the passphrase there.")
    weak = passphrases.weakness(wanted, name=name)
    if weak:
        raise TooWeak(weak)
    try:
        await prove(exchange, name, current, mark=mark, address=address)
    except Unauthenticated:
        raise InvalidRequest("The current passphrase is wrong, or there were too many tries.") from None
    password_hash = await exchange.passwords.hash(passphrases.normalised(wanted))
    now = exchange.clock()
    async with exchange.database.write(EVERYTHING) as tx:
        await accounts.keep_password(tx, name, password_hash, changed_at=now)
        detail = {"account": name, "ended": await sign_ins.end_all(tx, name)}
        await audit.write(tx, audit.Line(now, AuditEvent.ACCOUNT_PASSWORD_CHANGED, who.account.actor.id, detail=detail))


def _require_own(actor: Client, name: str) -> None:
    if actor.id != f"person:{name}":
        authorise(actor, Action.ADMINISTER)


def _administers(actor: Client) -> bool:
    try:
        authorise(actor, Action.ADMINISTER)
    except Forbidden:
        return False
    return True
