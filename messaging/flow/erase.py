"""Erase: what is kept about one patient is destroyed at the patient's request, and proof of it remains (GDPR art. 17).

The keys of the documents go, and with them the documents; the hash that led to the patient goes in the same
transaction, so that whatever is not done yet is found again. The message's row stays, and answers repetitions for ever.
A message and the AppRecs that answer it go together, since only the message leads to them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from messaging.errors import Conflict
from messaging.flow import patients
from messaging.flow.exchange import Exchange
from messaging.model.access import Action, authorise
from messaging.model.audit import AuditEvent
from messaging.model.party import Client
from messaging.model.sight import EVERYTHING
from messaging.store import audit, deliveries, retention
from messaging.store import patients as about
from messaging.store.answers import Answered

_AT_A_TIME = 50


@dataclass(frozen=True, slots=True)
class Stays:
    """A message that is not erased now: the legal holds that cover it or its answer, and the deliveries still open."""

    message_id: UUID
    holds: tuple[UUID, ...]
    open: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure would do, or has done: messages forgotten, documents destroyed, their bytes, and what stays.

    `number` is that of the audit line with which it began, and is None of what was only planned. Documents that were
    refused are counted apart, and so are those of them that stay: held, or damaged, so that nobody can tell.
    """

    number: int | None
    messages: int
    documents: int
    bytes: int
    stays: tuple[Stays, ...]
    refused: int = 0
    refused_held: int = 0
    refused_damaged: int = 0


async def plan(exchange: Exchange, actor: Client, number: str, *, reason: str, door: str) -> Erasure:
    """Tell what `erase` would do now; nothing is changed, and that somebody has looked is recorded.

    Raises InvalidRequest as `patients.find` does, and Conflict when older messages have not been looked into.
    """
    authorise(actor, Action.ADMINISTER)
    given, written = patients.required(reason), patients.checked(number)
    hashed = exchange.vault.patient_hash(written)
    await _require_all_looked_at(exchange)
    going: list[Answered] = []
    staying: list[Answered] = []
    after = retention.BEGINNING
    while True:
        async with exchange.database.read(EVERYTHING) as tx:
            some = await about.with_answers(tx, hashed, after=after, limit=_AT_A_TIME)
            free = await retention.free(tx, _ids(some))
        if not some:
            break
        after = some[-1].message_id
        for one in some:
            (going if free.issuperset(one.ids) else staying).append(one)
    await patients.note_search(exchange, actor, reason=given, door=door, found=len(_ids(going + staying)))
    lengths = [length for one in going for length in one.kept.values()]
    refused = await patients.refused_about(exchange, written)
    async with exchange.database.read(EVERYTHING) as tx:
        free_refusals = await retention.refusals_free(tx, refused.ids)
    return Erasure(
        None,
        len(going),
        len(lengths),
        sum(lengths) + sum(free_refusals.values()),
        await _why(exchange, staying),
        refused=len(free_refusals),
        refused_held=len(refused.ids) - len(free_refusals),
        refused_damaged=refused.damaged,
    )


async def erase(exchange: Exchange, actor: Client, number: str, *, reason: str, door: str) -> Erasure:
    """Destroy what is kept about a patient, in batches; after a kill the same call does what is left.

    What a legal hold covers, and what somebody still waits for, stays and is told. Raises InvalidRequest and Conflict
    as `plan` does.
    """
    authorise(actor, Action.ADMINISTER)
    given, written = patients.required(reason), patients.checked(number)
    hashed = exchange.vault.patient_hash(written)
    await _require_all_looked_at(exchange)
    detail: dict[str, Any] = {"door": door, "role": actor.role.value, "reason": given}
    async with exchange.database.write(EVERYTHING) as tx:
        begun = audit.Line(exchange.clock(), AuditEvent.ERASURE_BEGUN, actor.id, detail=detail)
        erasure = await audit.write_numbered(tx, begun)
    freed: list[int] = []
    staying: list[Answered] = []
    messages, after = 0, retention.BEGINNING
    while True:
        some, gone, lengths = await _erase(exchange, actor, hashed, after, erasure)
        if not some:
            break
        after = some[-1].message_id
        messages, freed = messages + len(gone), freed + lengths
        staying += [one for one in some if one.message_id not in gone]
    refused = await patients.refused_about(exchange, written)
    freed_refusals, held = await _erase_refused(exchange, actor, refused.ids, erasure)
    done = Erasure(
        erasure,
        messages,
        len(freed),
        sum(freed) + sum(freed_refusals),
        await _why(exchange, staying),
        refused=len(freed_refusals),
        refused_held=held,
        refused_damaged=refused.damaged,
    )
    counted = {"messages": done.messages, "documents": done.documents, "refused": done.refused, "bytes": done.bytes}
    detail = {"erasure": str(erasure), **counted, "stay": len(done.stays) + held}
    async with exchange.database.write(EVERYTHING) as tx:
        await audit.write(tx, audit.Line(exchange.clock(), AuditEvent.ERASURE_ENDED, actor.id, detail=detail))
    return done


async def _require_all_looked_at(exchange: Exchange) -> None:
    async with exchange.database.read(EVERYTHING) as tx:
        waiting = await about.not_looked_at(tx)
    if waiting:
        raise Conflict(
            f"Of {waiting} older messages nobody knows yet whom they are about; some may be about this patient. Run "
            "`samhandling patient index` first. A document that it calls damaged must be restored before, or be gone."
        )


async def _erase(
    exchange: Exchange, actor: Client, hashed: bytes, after: UUID, erasure: int
) -> tuple[Sequence[Answered], Collection[UUID], list[int]]:
    """Erase some messages with what answers them; returns those looked at, the ids of those erased, and bytes freed."""
    now = exchange.clock()
    async with exchange.database.write(EVERYTHING) as tx:
        await retention.keep_holds_still(tx)
        some = await about.hold(tx, hashed, after=after, limit=_AT_A_TIME)
        free = await retention.free(tx.reader, _ids(some))
        going = [one for one in some if free.issuperset(one.ids)]
        own = {one.message_id for one in going}
        freed = await retention.destroy(tx, _ids(going))
        await about.forget(tx, own)
        lines = [
            audit.Line(
                now,
                AuditEvent.MESSAGE_ERASED,
                actor.id,
                message_id,
                detail={"erasure": str(erasure), "bytes": freed.get(message_id, 0)},
            )
            for message_id in _ids(going)
            if message_id in own or message_id in freed
        ]
        await audit.write(tx, *lines)
    return some, own, list(freed.values())


async def _erase_refused(
    exchange: Exchange, actor: Client, refusal_ids: Sequence[UUID], erasure: int
) -> tuple[list[int], int]:
    """Erase refused documents; returns the bytes of each, and how many are held."""
    now, freed, held = exchange.clock(), list[int](), 0
    for start in range(0, len(refusal_ids), _AT_A_TIME):
        some = refusal_ids[start : start + _AT_A_TIME]
        async with exchange.database.write(EVERYTHING) as tx:
            await retention.keep_holds_still(tx)
            free = await retention.refusals_free(tx.reader, some)
            held += len(some) - len(free)
            gone = await retention.destroy_refusals(tx, free)
            lines = [
                audit.Line(
                    now,
                    AuditEvent.REFUSAL_ERASED,
                    actor.id,
                    detail={"erasure": str(erasure), "refusal": str(one), "bytes": free[one]},
                )
                for one in sorted(gone)
            ]
            await audit.write(tx, *lines)
        freed += [free[one] for one in gone]
    return freed, held


def _ids(some: Collection[Answered]) -> list[UUID]:
    return [message_id for one in some for message_id in one.ids]


async def _why(exchange: Exchange, staying: Sequence[Answered]) -> tuple[Stays, ...]:
    """Say of messages that stay what keeps each of them."""
    every = _ids(staying)
    async with exchange.database.read(EVERYTHING) as tx:
        holds = await retention.holds_on(tx, every)
        still_open = await deliveries.open_of(tx, every)
    return tuple(
        Stays(
            one.message_id,
            tuple(sorted({hold for of in one.ids for hold in holds.get(of, ())}, key=str)),
            tuple(row for row in still_open if row["message_id"] in one.ids),
        )
        for one in staying
    )
