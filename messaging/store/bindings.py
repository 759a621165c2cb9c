"""Bindings: the certificates and the access tokens of others that speak for our clients."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, select

from messaging.model.party import Client
from messaging.store import parties
from messaging.store import tables as t
from messaging.store.session import ReadTx, WriteTx


@dataclass(frozen=True, slots=True)
class CertificateBinding:
    """A certificate that speaks for a client: the SHA-256 of its SubjectPublicKeyInfo; the rest tells people more."""

    spki: bytes
    client_id: str
    subject: str
    not_after: datetime


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """Whom an access token was issued to: the issuer, its name for the client, and the organisation it acts for.

    `parent` and `child` are organisation numbers; the issuer does not vouch for `child`, so this table does.
    """

    issuer: str
    token_client: str
    parent: str = ""
    child: str = ""


async def holder_of_certificate(tx: ReadTx, spki: bytes) -> Client | None:
    """Find the client that a certificate speaks for."""
    query = select(t.client_certificate.c.client_id).where(t.client_certificate.c.spki == spki)
    client_id = await tx.scalar(query)
    return await parties.client(tx, client_id) if client_id else None


async def holder_of_token(tx: ReadTx, holder: TokenHolder) -> Client | None:
    """Find the client that a token speaks for."""
    client_id = await tx.scalar(select(t.client_token.c.client_id).where(*_is(holder)))
    return await parties.client(tx, client_id) if client_id else None


async def certificates(tx: ReadTx, client_id: str) -> list[CertificateBinding]:
    """Read a client's certificates."""
    query = select(t.client_certificate).where(t.client_certificate.c.client_id == client_id)
    rows = (await tx.execute(query.order_by(t.client_certificate.c.not_after))).mappings()
    return [CertificateBinding(row["spki"], row["client_id"], row["subject"], row["not_after"]) for row in rows]


async def tokens(tx: ReadTx, client_id: str) -> list[TokenHolder]:
    """Read whose tokens speak for a client."""
    columns = (t.client_token.c.issuer, t.client_token.c.token_client, t.client_token.c.parent, t.client_token.c.child)
    query = select(*columns).where(t.client_token.c.client_id == client_id).order_by(*columns)
    return [TokenHolder(*row) for row in await tx.execute(query)]


async def add_certificate(tx: WriteTx, binding: CertificateBinding, *, at: datetime) -> None:
    """Let a certificate speak for a client."""
    values = {
        "spki": binding.spki,
        "client_id": binding.client_id,
        "subject": binding.subject,
        "not_after": binding.not_after,
        "created_at": at,
    }
    await tx.connection.execute(t.client_certificate.insert().values(**values))


async def add_token(tx: WriteTx, holder: TokenHolder, client_id: str, *, at: datetime) -> None:
    """Let the tokens of a holder speak for a client."""
    values = {
        "issuer": holder.issuer,
        "token_client": holder.token_client,
        "parent": holder.parent,
        "child": holder.child,
        "client_id": client_id,
        "created_at": at,
    }
    await tx.connection.execute(t.client_token.insert().values(**values))


async def remove_certificates(tx: WriteTx, client_id: str, *, spki: bytes | None = None) -> int:
    """Take one certificate from a client, or all; tells how many there were."""
    statement = delete(t.client_certificate).where(t.client_certificate.c.client_id == client_id)
    if spki is not None:
        statement = statement.where(t.client_certificate.c.spki == spki)
    return (await tx.connection.execute(statement)).rowcount


async def remove_tokens(tx: WriteTx, client_id: str, *, holder: TokenHolder | None = None) -> int:
    """Take the tokens of one holder from a client, or of all; tells how many there were."""
    statement = delete(t.client_token).where(t.client_token.c.client_id == client_id)
    if holder is not None:
        statement = statement.where(*_is(holder))
    return (await tx.connection.execute(statement)).rowcount


def _is(holder: TokenHolder) -> tuple[ColumnElement[bool], ...]:
    return (
        t.client_token.c.issuer == holder.issuer,
        t.client_token.c.token_client == holder.token_client,
        t.client_token.c.parent == holder.parent,
        t.client_token.c.child == holder.child,
    )
