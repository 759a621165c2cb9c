"""Expiries: until when clients' keys and certificates let them in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from messaging.store import tables as t
from messaging.store.session import ReadTx


@dataclass(frozen=True, slots=True)
class Ending:
    """A key or a certificate of a client that ends at a moment."""

    client_id: str
    name: str
    ends_at: datetime


async def endings(tx: ReadTx, *, after: datetime, before: datetime) -> list[Ending]:
    """Read the living keys and the certificates that end between two moments, the first first."""
    keys = select(t.api_key.c.client_id, t.api_key.c.id, t.api_key.c.expires_at).where(
        t.api_key.c.revoked_at.is_(None), t.api_key.c.expires_at > after, t.api_key.c.expires_at < before
    )
    certificate = t.client_certificate.c
    certificates = select(certificate.client_id, certificate.subject, certificate.not_after).where(
        certificate.not_after > after, certificate.not_after < before
    )
    found = [Ending(*row) for query in (keys, certificates) for row in await tx.execute(query)]
    return sorted(found, key=lambda one: one.ends_at)
