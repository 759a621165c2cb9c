"""Patients: messages are found by whom they are about, for a reason that is kept; the number itself never is."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from messaging.errors import DocumentDamaged, InvalidRequest
from messaging.flow.exchange import Exchange
from messaging.flow.inspect import with_succession
from messaging.flow.opening import document_of, refusal_of
from messaging.flow.said import in_words
from messaging.model.access import Action, authorise
from messaging.model.audit import AuditEvent
from messaging.model.party import Client
from messaging.model.sight import EVERYTHING
from messaging.store import audit, messages, patients, retention

_AT_A_TIME = 50
_LONGEST_REASON = 500
_NUMBER = re.compile(r"[0-9]{11}")
_BEGINNING = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Found:
    """The messages about one patient, with their deliveries, oldest first, and the AppRecs that answer them.

    `not_looked_at` counts messages from before there was this search: some of them may be about the patient too.
    """

    messages: list[dict[str, Any]]
    not_looked_at: int


@dataclass(frozen=True, slots=True)
class Looked:
    """What a run looked at: how many messages, and those whose document is damaged, which stay as they are."""

    messages: int
    damaged: tuple[UUID, ...]


async def find(exchange: Exchange, actor: Client, number: str, *, reason: str, door: str) -> Found:
    """Find the messages about a patient by the national number; that it was done, by whom and why, is recorded first.

    Neither the number nor its hash is. Raises InvalidRequest without a reason or for what is no such number.
    """
    authorise(actor, Action.OPERATE)
    given = required(reason)
    hashed = exchange.vault.patient_hash(checked(number))
    async with exchange.database.read(EVERYTHING) as tx:
        ids = await patients.about(tx, hashed)
        rows = await with_succession(tx, await messages.with_deliveries(tx, ids), actor)
        waiting = await patients.not_looked_at(tx)
    await note_search(exchange, actor, reason=given, door=door, found=len(ids))
    told = [{**row, "deliveries": await in_words(exchange, row["deliveries"])} for row in rows]
    return Found(sorted(told, key=lambda row: ids.index(row["id"])), waiting)


@dataclass(frozen=True, slots=True)
class RefusedAbout:
    """The refused documents about a patient that are still kept, and how many are damaged and tell nothing."""

    ids: tuple[UUID, ...]
    damaged: int


async def refused_about(exchange: Exchange, number: str) -> RefusedAbout:
    """Look into every refused document that is still kept: they carry no hash.

    One that cannot be read, or names no patient where one stands, is about whoever's number is in it.
    """
    after, found, damaged = _BEGINNING, list[UUID](), 0
    while True:
        async with exchange.database.read(EVERYTHING) as tx:
            some = await retention.refused(tx, after=after, limit=_AT_A_TIME)
        if not some:
            return RefusedAbout(tuple(found), damaged)
        for refusal_id in some:
            try:
                row = await refusal_of(exchange, EVERYTHING, refusal_id)
            except DocumentDamaged:
                damaged += 1
                continue
            if row is not None and await asyncio.to_thread(_is_about, exchange, row["content"], number):
                found.append(refusal_id)
        after = some[-1]


def _is_about(exchange: Exchange, content: bytes, number: str) -> bool:
    named = exchange.validator.patient_of(content)
    return named == number if named else number.encode() in content


async def note_search(exchange: Exchange, actor: Client, *, reason: str, door: str, found: int) -> None:
    """Write down that somebody has looked for a patient, and why; neither the number nor its hash."""
    detail = {"door": door, "role": actor.role.value, "reason": reason, "found": found}
    async with exchange.database.write(EVERYTHING) as tx:
        await audit.write(tx, audit.Line(exchange.clock(), AuditEvent.PATIENT_SEARCHED, actor.id, detail=detail))


def checked(number: str) -> str:
    """Write a number as it is hashed. Raises InvalidRequest, which does not repeat it, when it has not 11 digits."""
    written = "".join(number.split())
    if not _NUMBER.fullmatch(written):
        raise InvalidRequest("That is no national number: a fødselsnummer, D-, H- or hjelpenummer has 11 digits.")
    return written


def required(reason: str) -> str:
    """Give the reason as it is kept. Raises InvalidRequest when there is none."""
    if not reason.strip():
        raise InvalidRequest("Say why the patient is looked for; the reason is kept in the audit log.")
    return reason.strip()[:_LONGEST_REASON]


async def index(exchange: Exchange, actor: Client) -> Looked:
    """Look into the documents from before there was this search, while the exchange works, and note whom each is about.

    In batches: after a kill the same call goes on with what is left.
    """
    authorise(actor, Action.ADMINISTER)
    after, done, damaged = _BEGINNING, 0, list[UUID]()
    while True:
        async with exchange.database.read(EVERYTHING) as tx:
            ids = await patients.next_to_look_at(tx, after=after, limit=_AT_A_TIME)
        if not ids:
            return Looked(done, tuple(damaged))
        hashes = []
        for message_id in ids:
            try:
                hashes.append((message_id, await _looked_into(exchange, message_id)))
            except DocumentDamaged:
                damaged.append(message_id)
        async with exchange.database.write(EVERYTHING) as tx:
            await patients.note(tx, hashes)
        done, after = done + len(hashes), ids[-1]


async def _looked_into(exchange: Exchange, message_id: UUID) -> bytes:
    content = await document_of(exchange, EVERYTHING, message_id)
    if content is None:
        return patients.NONE
    return exchange.vault.patient_hash(await asyncio.to_thread(exchange.validator.patient_of, content))
