"""Token holders: whose access tokens speak for a client. The issuer says who holds a token; this says for whom."""

from __future__ import annotations

from messaging.errors import InvalidRequest, NotFound
from messaging.flow.clients import require_client
from messaging.flow.exchange import Exchange
from messaging.model.access import Action, authorise
from messaging.model.audit import AuditEvent
from messaging.model.party import Client
from messaging.model.sight import EVERYTHING
from messaging.store import audit, bindings
from messaging.store.bindings import TokenHolder


async def add(exchange: Exchange, actor: Client, client_id: str, holder: TokenHolder) -> None:
    """Let the tokens of a holder speak for a client. Raises NotFound (no such client), InvalidRequest (taken)."""
    authorise(actor, Action.ADMINISTER)
    _require_sense(holder)
    async with exchange.database.write(EVERYTHING) as tx:
        await require_client(tx, client_id)
        held = await bindings.holder_of_token(tx.reader, holder)
        if held is not None:
            raise InvalidRequest(f"The tokens of this holder speak for {held.id} already.")
        await bindings.add_token(tx, holder, client_id, at=exchange.clock())
        await audit.write(tx, _line(exchange, AuditEvent.TOKENS_ADDED, actor, client_id, holder))
    exchange.directory.forget()


def _require_sense(holder: TokenHolder) -> None:
    if not holder.issuer or not holder.token_client:
        raise InvalidRequest("Name the issuer, and the client as the issuer knows it.")
    for number in (holder.parent, holder.child):
        if number and not (len(number) == len("987654321") and number.isdecimal() and number.isascii()):
            raise InvalidRequest("An organisation number has nine digits.")


async def remove(exchange: Exchange, actor: Client, client_id: str, holder: TokenHolder) -> None:
    """Let the tokens of a holder no longer speak for a client. Raises NotFound when they did not."""
    authorise(actor, Action.ADMINISTER)
    async with exchange.database.write(EVERYTHING) as tx:
        if not await bindings.remove_tokens(tx, client_id, holder=holder):
            raise NotFound(
                f"The tokens of this holder do not speak for {client_id}; `clients show` lists those that do."
            )
        await audit.write(tx, _line(exchange, AuditEvent.TOKENS_REMOVED, actor, client_id, holder))
    exchange.directory.forget()


def _line(exchange: Exchange, event: AuditEvent, actor: Client, client_id: str, holder: TokenHolder) -> audit.Line:
    detail = {
        "client": client_id,
        "issuer": holder.issuer,
        "token_client": holder.token_client,
        "parent": holder.parent,
        "child": holder.child,
    }
    return audit.Line(exchange.clock(), event, actor.id, detail=detail)
