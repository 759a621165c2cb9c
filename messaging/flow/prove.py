"""Prove: show that audit lines were sealed, so that others can check it: a message's, an erasure's, or all of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

from messaging.errors import Conflict, NotFound
from messaging.flow.exchange import Exchange
from messaging.flow.verify import find
from messaging.model.access import Action, authorise
from messaging.model.audit import AuditEvent
from messaging.model.merkle import Grown, Tree
from messaging.model.party import Client
from messaging.model.seal import VERSION, canonical, line_bytes
from messaging.model.sight import Sight
from messaging.store import audit, seals
from messaging.store.seals import Kept
from messaging.store.session import ReadTx


async def prove(exchange: Exchange, actor: Client, message_id: UUID, *, to: str | None = None) -> dict[str, Any]:
    """Prove each sealed line of a message: the line, its place, the path to a root, and the seal that signs the root.

    With `to`, a later seal that the reader trusts, also that the log goes on unchanged up to that one. Raises NotFound
    when there is no such message or seal, Conflict when no line of it is sealed yet.
    """
    authorise(actor, Action.AUDIT)
    trusted = (await find(exchange.database, to)) if to else None
    async with exchange.database.read(Sight.of(actor)) as tx:
        lines = await seals.lines_of(tx, message_id)
        if not lines:
            raise NotFound("The audit log has no line about such a message.")
        proven = await _proven(tx, lines, trusted)
    if not proven["lines"]:
        raise Conflict("No line about this message is sealed yet; ask again in a second.")
    return {"v": VERSION, "message_id": str(message_id), **proven}


async def prove_erasure(exchange: Exchange, actor: Client, number: int, *, to: str | None = None) -> dict[str, Any]:
    """Prove, for each message and refused document that an erasure destroyed, the line that says so, in one proof.

    `number` is what the erasure is called in its lines. Raises NotFound when there is none with that number or it has
    erased nothing, Conflict when a line of it is not sealed yet.
    """
    authorise(actor, Action.AUDIT)
    trusted = (await find(exchange.database, to)) if to else None
    async with exchange.database.read(Sight.of(actor)) as tx:
        lines = await seals.lines_of_erasure(tx, number)
        if not lines:
            raise NotFound(
                "No erasure has that number, or it has erased nothing; `samhandling patient erase` tells it."
            )
        proven = await _proven(tx, lines, trusted)
    if proven["unsealed"]:
        raise Conflict(f"{len(proven['unsealed'])} lines of this erasure are not sealed yet; ask again in a second.")
    told = [one["line"] for one in proven["lines"]]
    message_ids = {line["message_id"]: None for line in told if line["message_id"]}
    refusal_ids = [line["detail"]["refusal"] for line in told if not line["message_id"]]
    named = {"message_ids": list(message_ids), "refusal_ids": refusal_ids}
    return {"v": VERSION, "erasure": number, **named, **proven}


async def _proven(tx: ReadTx, lines: Sequence[Any], trusted: Kept | None) -> dict[str, Any]:
    """Prove each of some lines that is sealed, and name those that are not."""
    used: dict[int, tuple[Kept, Grown]] = {}
    proofs = [await _proof(tx, index, line, used) for index, *line in lines if index is not None]
    named = {number: kept.seal.told() for number, (kept, _) in used.items()}
    links = []
    if trusted is not None:
        links = [await _consistency(tx, kept, trusted) for kept, _ in used.values()]
        named[trusted.seal.number] = trusted.seal.told()
    return {
        "lines": proofs,
        "seals": [named[number] for number in sorted(named)],
        "consistency": links,
        "unsealed": [line[0] for index, *line in lines if index is None],
    }


async def _proof(tx: ReadTx, index: int, line: Sequence[Any], used: dict[int, tuple[Kept, Grown]]) -> dict[str, Any]:
    """Prove one line in the first seal that covers it, which takes the leaves of this one seal and no others."""
    kept = await seals.covering(tx, index)
    if kept is None:
        raise Conflict("A line has its place and no seal over it; see `samhandling audit verify`.")
    number = kept.seal.number
    if number not in used:
        used[number] = (kept, await _grown(tx, await seals.get(tx, number - 1), kept))
    path = used[number][1].inclusion(index)
    told = json.loads(line_bytes(*line))
    return {"line": told, "index": index, "seal": number, "proof": [step.hex() for step in path]}


async def _consistency(tx: ReadTx, old: Kept, new: Kept) -> dict[str, Any]:
    if old.seal.number > new.seal.number:
        raise Conflict(
            f"Seal {new.seal.number} is older than seal {old.seal.number}, which covers lines of this message."
        )
    path = (await _grown(tx, old, new)).consistency(old.seal.size)
    return {"from": old.seal.number, "to": new.seal.number, "proof": [step.hex() for step in path]}


async def _grown(tx: ReadTx, before: Kept | None, after: Kept) -> Grown:
    start = before.seal.size if before else 0
    leaves = await seals.hashes(tx, start=start, end=after.seal.size)
    if len(leaves) != after.seal.size - start:
        raise Conflict("Leaves of the tree are gone; see `samhandling audit verify`.")
    return Grown(before.tree() if before else Tree(), leaves)


async def export(exchange: Exchange, actor: Client) -> AsyncIterator[bytes]:
    """Give the sealed log as lines of JSON, each seal behind the audit lines it covers; that it was taken is recorded.

    What is missing or changed in the database is so in the export, for whoever checks it to find.
    """
    authorise(actor, Action.AUDIT)
    async with exchange.database.write(Sight.of(actor)) as tx:
        newest = await seals.last(tx.reader)
        detail = {"until": newest.seal.number if newest else None}
        await audit.write(tx, audit.Line(exchange.clock(), AuditEvent.AUDIT_EXPORTED, actor.id, detail=detail))
    yield canonical({"export": VERSION, "until": detail["until"], "lines": newest.seal.size if newest else 0}) + b"\n"
    if newest is None:
        return
    async for some in seals.in_order(exchange.database, after=None, until=newest):
        yield b"".join(_exported(one) for one in some)


def _exported(one: Any) -> bytes:
    if isinstance(one, Kept):
        return canonical({"seal": one.seal.told()}) + b"\n"
    index, line_id, leaf, *kept = one
    line = b"null" if kept[0] is None else line_bytes(*kept)
    return b'{"hash":"%s","id":%d,"index":%d,"line":%s}\n' % (leaf.hex().encode(), line_id, index, line)
