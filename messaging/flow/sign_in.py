"""Sign in: a person shows a passphrase, and the browser gets a token; a guesser waits, and never shuts the person out.

Wrong passphrases in a row make all browsers wait that have never signed in to the account. One that has, and shows the
mark that it was given then, is counted alone: whoever guesses elsewhere does not keep it waiting.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from messaging.errors import Unauthenticated
from messaging.flow import marks
from messaging.flow.exchange import Exchange
from messaging.model import passphrases
from messaging.model.account import NAME, Account, pause_after
from messaging.model.audit import AuditEvent
from messaging.model.sight import EVERYTHING
from messaging.store import accounts, audit, sign_ins
from messaging.store.session import WriteTx

NOBODY = "nobody known"
"""Stands in the audit log for whoever gave a name that we do not know: it may be a passphrase in the wrong field."""

_LONGEST_ADDRESS = 45


@dataclass(frozen=True, slots=True)
class Begun:
    """Somebody has signed in: the token that is told this once, and the mark by which the browser is known again."""

    token: str
    account: Account
    mark: str


@dataclass(frozen=True, slots=True)
class _Try:
    """One try to sign in, before it is known whether it succeeds."""

    account: Account | None
    browser: str
    password_hash: str | None
    refused_for: str = ""
    locked_until: datetime | None = None


async def sign_in(exchange: Exchange, name: str, passphrase: str, *, mark: str = "", address: str = "") -> Begun:
    """Let a person in who knows the account's passphrase. Raises what `prove` does."""
    account, browser = await prove(exchange, name, passphrase, mark=mark, address=address)
    kept_mark = marks.browser_mark(exchange.pepper, account.name) if browser == accounts.STRANGERS else mark
    async with exchange.database.write(EVERYTHING) as tx:
        token = await begin(exchange, tx, account, way="passphrase", address=address)
    return Begun(token, account, kept_mark)


async def prove(
    exchange: Exchange, name: str, passphrase: str, *, mark: str = "", address: str = ""
) -> tuple[Account, str]:
    """Tell whose passphrase this is, and from which browser; one that was hashed at other costs is hashed anew.

    Raises Unauthenticated, in the same words and after the same time whatever is wrong, and TooManyRequests when too
    many passphrases from the address were wrong.
    """
    name = name.strip().casefold()
    known = marks.known_browser(exchange.pepper, name, mark) is not None
    async with exchange.admission.typing(address, welcome=known):
        return await _prove(exchange, name, passphrase, mark)


async def _prove(exchange: Exchange, name: str, passphrase: str, mark: str) -> tuple[Account, str]:
    attempt = await _begin(exchange, name, mark)
    typed = passphrases.normalised(passphrase)
    fits = await exchange.passwords.matches(attempt.password_hash, typed if len(typed) <= passphrases.LONGEST else "")
    if attempt.account is None or attempt.password_hash is None or not fits:
        await _refuse(exchange, attempt)
        raise Unauthenticated(
            "The name or the passphrase is wrong, or there were too many tries: then wait a quarter of an hour."
        )
    anew = await exchange.passwords.hash(typed) if exchange.passwords.is_outdated(attempt.password_hash) else None
    async with exchange.database.write(EVERYTHING) as tx:
        if anew:
            await accounts.keep_password(tx, attempt.account.name, anew)
        await accounts.forget_failures(tx, attempt.account.name, attempt.browser)
    return attempt.account, attempt.browser


async def begin(exchange: Exchange, tx: WriteTx, account: Account, *, way: str, address: str) -> str:
    """Begin a sign-in with a token that nobody has had before (no fixation), and tell the token."""
    now, token = exchange.clock(), marks.new_token()
    begun = sign_ins.SignIn(
        uuid4(), account.name, way, address[:_LONGEST_ADDRESS], now, now, now + exchange.terms.signed_in_longest
    )
    await sign_ins.add(tx, begun, marks.kept_as(token))
    await accounts.remember_sign_in(tx, account.name, at=now)
    detail = {"way": way, "sign_in": str(begun.id), "role": account.role.value}
    await audit.write(tx, audit.Line(now, AuditEvent.SIGNED_IN, account.actor.id, detail=detail))
    return token


async def _begin(exchange: Exchange, name: str, mark: str) -> _Try:
    """Count the try as a failure before it is known to be one, so that many at once are no more than many in a row."""
    now = exchange.clock()
    async with exchange.database.write(EVERYTHING) as tx:
        account = await accounts.hold(tx, name) if NAME.fullmatch(name) else None
        browser = (marks.known_browser(exchange.pepper, name, mark) if account else None) or accounts.STRANGERS
        found = await accounts.failures(tx.reader, name if account else "", browser)
        password_hash = await accounts.password_of(tx.reader, name) if account else None
        refused_for = _refused_for(account, password_hash, found.locked_until, now)
        counted_for = ("", accounts.STRANGERS) if refused_for else (name, browser)
        in_a_row = await accounts.count_failure(tx, *counted_for, at=now)
        pause = None if refused_for else pause_after(in_a_row)
        if pause:
            await accounts.lock(tx, *counted_for, until=now + pause)
    locked_until = now + pause if pause else None
    return _Try(account, browser, None if refused_for else password_hash, refused_for, locked_until)


def _refused_for(account: Account | None, password_hash: str | None, locked: datetime | None, now: datetime) -> str:
    if account is None:
        return "unknown_name"
    if password_hash is None:
        return "no_passphrase"
    if account.disabled_at is not None:
        return "disabled"
    return "locked" if locked and locked > now else ""


async def _refuse(exchange: Exchange, attempt: _Try) -> None:
    now = exchange.clock()
    actor = attempt.account.actor.id if attempt.account else NOBODY
    known = attempt.browser != accounts.STRANGERS
    detail = {"reason": attempt.refused_for or "wrong_passphrase", "known_browser": known}
    lines = [audit.Line(now, AuditEvent.SIGN_IN_REFUSED, actor, detail=detail)]
    if attempt.locked_until:
        until = {"until": attempt.locked_until.isoformat(), "known_browser": known}
        lines.append(audit.Line(now, AuditEvent.SIGN_IN_LOCKED, actor, detail=until))
    async with exchange.database.write(EVERYTHING) as tx:
        await audit.write(tx, *lines)
