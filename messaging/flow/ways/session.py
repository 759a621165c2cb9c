"""By a browser in which somebody has signed in: the session cookie, and its form token for what changes something."""

from __future__ import annotations

from messaging.errors import Forbidden, Unauthenticated
from messaging.flow import forgery, signed_in
from messaging.flow.exchange import Exchange
from messaging.flow.ways import Way
from messaging.model.audit import AuditEvent
from messaging.model.credentials import Credentials
from messaging.model.party import Client
from messaging.model.sight import EVERYTHING
from messaging.store import audit


def carried(_exchange: Exchange, credentials: Credentials) -> bool:
    """Tell whether the request carries a session cookie, of whatever worth."""
    return credentials.session is not None


async def caller(exchange: Exchange, credentials: Credentials) -> Client:
    """Tell who is signed in. Raises Unauthenticated, and Forbidden for what another page may have forged."""
    return (await present(exchange, credentials)).account.actor


async def present(exchange: Exchange, credentials: Credentials) -> signed_in.Present:
    """Tell who is signed in and how. Raises as `caller` does; what may be forged is kept in the audit log."""
    token = credentials.session or ""
    found = await signed_in.present(exchange, token)
    if found is None:
        raise Unauthenticated("Nobody is signed in here (any more); sign in at /sign-in.")
    why = forgery.suspicion(exchange.pepper, token, credentials)
    if why:
        line = audit.Line(credentials.now, AuditEvent.REQUEST_FORGED, found.account.actor.id, detail={"reason": why})
        async with exchange.database.write(EVERYTHING) as tx:
            await audit.write(tx, line)
        raise Forbidden(
            "A request that changes something must come from a page of this sign-in; send its token in X-CSRF-Token."
        )
    return found


WAY = Way("session", carried, caller, lambda _exchange: ())
