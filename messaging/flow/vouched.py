"""Vouched for: a person signs in with an identity provider, which says who it is and in which role (OpenID Connect)."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import asdict, dataclass, replace
from urllib.parse import urlsplit

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from pydantic_core import from_json, to_json

from messaging.errors import NotFound, Unauthenticated
from messaging.flow import marks
from messaging.flow.accounts import VOUCHED_FOR
from messaging.flow.exchange import Exchange
from messaging.flow.sign_in import NOBODY, begin
from messaging.model.access import Role
from messaging.model.account import Account
from messaging.model.audit import AuditEvent
from messaging.model.provider import Claims, Trust
from messaging.model.sight import EVERYTHING
from messaging.openid import Provider, Refusal
from messaging.store import accounts, audit, parties, sign_ins
from messaging.store.session import WriteTx

_LASTS = 600
"""Seconds that a person may take at the provider."""
_LONGEST_NAME = 100
_SEALED = {"alg": "dir", "enc": "A256GCM"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of a provider; the browser keeps it sealed, so that only itself can come back with the answer."""

    provider: str
    state: str
    nonce: str
    verifier: str
    onward: str
    until: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a browser comes back with from a provider."""

    code: str = ""
    state: str = ""
    issuer: str = ""
    error: str = ""


async def ask(exchange: Exchange, name: str, *, url: str, onward: str) -> tuple[str, str]:
    """Give the provider's address for a person, and what the browser keeps. Raises NotFound and Unavailable."""
    provider = _provider(exchange, name)
    until = exchange.clock().timestamp() + _LASTS
    asked = Asked(name, marks.new_token(), marks.new_token(), marks.new_token(), onward, until)
    address = await provider.address_for(
        state=asked.state, nonce=asked.nonce, verifier=asked.verifier, back=_back(url, name)
    )
    kept = jwe.encrypt_compact(_SEALED, to_json(asdict(asked)), _key(exchange))
    return address, kept


async def come_back(
    exchange: Exchange, name: str, answer: Answer, *, kept: str, url: str, address: str
) -> tuple[str, str]:
    """Let in whom the provider vouches for; tells the token, and where the person wanted to go.

    Raises Unauthenticated for everybody else, and Unavailable when the provider does not answer.
    """
    provider, now = _provider(exchange, name), exchange.clock().timestamp()
    try:
        asked = _fitting(_opened(exchange, kept), answer, provider.trust, now)
        back = _back(url, name)
        claims = await provider.claims_for(
            code=answer.code, nonce=asked.nonce, verifier=asked.verifier, back=back, now=now
        )
        return await _let_in(exchange, provider, claims, address), asked.onward
    except Refusal as refused:
        detail = {"reason": str(refused), "provider": name}
        line = audit.Line(exchange.clock(), AuditEvent.SIGN_IN_REFUSED, NOBODY, detail=detail)
        async with exchange.database.write(EVERYTHING) as tx:
            await audit.write(tx, line)
        raise Unauthenticated("The identity provider gives nobody access here by this sign-in.") from refused


def _fitting(asked: Asked | None, answer: Answer, trust: Trust, now: float) -> Asked:
    """Give what was asked, when this browser asked it and the answer is to it. Raises Refusal."""
    if asked is None or asked.provider != trust.name or asked.until <= now:
        raise Refusal("not_asked")
    if not hmac.compare_digest(asked.state.encode(), answer.state.encode()):
        raise Refusal("other_state")
    if answer.issuer not in ("", trust.issuer):
        raise Refusal("other_issuer")
    if answer.error or not answer.code:
        raise Refusal("provider_refused")
    return asked


async def _let_in(exchange: Exchange, provider: Provider, claims: Claims, address: str) -> str:
    trust = provider.trust
    if not trust.is_strong(claims):
        raise Refusal("not_strong_enough")
    role = trust.role_of(claims)
    if role is None:
        raise Refusal("no_role")
    async with exchange.database.write(EVERYTHING) as tx:
        her_ids = await _parties(tx, trust.organisations_of(claims)) if role is Role.PARTY else frozenset[int]()
        if role is Role.PARTY and not her_ids:
            raise Refusal("no_party")
        told = Account(_name(claims), _display_name(trust.name_claim, claims), role, her_ids, trust.issuer)
        account = await _account(exchange, tx, told, claims["sub"], f"provider:{trust.name}")
        return await begin(exchange, tx, account, way=trust.name, address=address)


async def _account(exchange: Exchange, tx: WriteTx, told: Account, subject: str, actor: str) -> Account:
    """Keep what the provider says of a person; who gets another role is signed out wherever the old one is in use."""
    now = exchange.clock()
    known = await accounts.by_subject(tx.reader, str(told.issuer), subject)
    detail = {"account": told.name, "role": told.role.value, "parties": sorted(told.her_ids)}
    if known is None:
        await accounts.add(tx, told, at=now, subject=subject)
        await audit.write(tx, audit.Line(now, AuditEvent.ACCOUNT_ADDED, actor, detail=detail))
        return told
    if known.disabled_at is not None:
        raise Refusal("disabled")
    same = replace(known, display_name=told.display_name, role=told.role, her_ids=told.her_ids)
    if same == known:
        return known
    await accounts.change_role(tx, same)
    if (same.role, same.her_ids) != (known.role, known.her_ids):
        ended = await sign_ins.end_all(tx, known.name)
        changed = {**detail, "was": known.role.value, "ended": ended}
        await audit.write(tx, audit.Line(now, AuditEvent.ACCOUNT_ROLE_CHANGED, actor, detail=changed))
    return same


async def _parties(tx: WriteTx, organisations: frozenset[str]) -> frozenset[int]:
    """Find the parties of organisations: those of the number, and those below them."""
    every = await parties.every(tx.reader)
    above = {party.her_id for party in every if party.org_number and party.org_number in organisations}
    return frozenset(party.her_id for party in every if party.her_id in above or party.parent_her_id in above)


def _name(claims: Claims) -> str:
    """Name the account: the same person always alike, and nobody who reads the audit log learns a number from it."""
    return VOUCHED_FOR + hashlib.sha256(f"{claims['iss']}\0{claims['sub']}".encode()).hexdigest()[:16]


def _display_name(claim: str, claims: Claims) -> str:
    told = claims.get(claim)
    text = "".join(filter(str.isprintable, told)).strip()[:_LONGEST_NAME] if isinstance(told, str) else ""
    return text or _name(claims)


def _provider(exchange: Exchange, name: str) -> Provider:
    provider = exchange.providers.get(name)
    if provider is None:
        raise NotFound("There is no such identity provider.")
    return provider


def _back(url: str, name: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/sign-in/with/{name}/back"


def _key(exchange: Exchange) -> OctKey:
    return OctKey.import_key(hmac.new(exchange.pepper, b"samhandling\0provider", hashlib.sha256).digest())


def _opened(exchange: Exchange, kept: str) -> Asked | None:
    try:
        return Asked(**from_json(jwe.decrypt_compact(kept, _key(exchange)).plaintext or b""))
    except (JoseError, ValueError, TypeError):
        return None
