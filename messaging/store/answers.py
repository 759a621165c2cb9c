"""A message and the AppRecs that answer it, with what is kept of their documents: what goes together, or stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select

from messaging.store import tables as t
from messaging.store.session import ReadTx


@dataclass(frozen=True, slots=True)
class Answered:
    """A message, the AppRecs that answer it, and the bytes of those of their documents that are still kept."""

    message_id: UUID
    answers: tuple[UUID, ...]
    kept: Mapping[UUID, int]

    @property
    def ids(self) -> tuple[UUID, ...]:
        """The message, and what answers it."""
        return (self.message_id, *self.answers)


async def answered(tx: ReadTx, message_ids: Sequence[UUID]) -> list[Answered]:
    """Read what answers some messages, in their order."""
    answers: dict[UUID, list[UUID]] = {message_id: [] for message_id in message_ids}
    query = select(t.message.c.answers_id, t.message.c.id).where(t.message.c.answers_id.in_(message_ids))
    for answers_id, message_id in await tx.execute(query.order_by(t.message.c.id)):
        answers[answers_id].append(message_id)
    every = [*message_ids, *(one for some in answers.values() for one in some)]
    lengths = select(t.payload.c.message_id, func.length(t.payload.c.content).label("bytes"))
    kept = {row.message_id: row.bytes for row in await tx.execute(lengths.where(t.payload.c.message_id.in_(every)))}
    return [
        Answered(one, tuple(answers[one]), {of: kept[of] for of in (one, *answers[one]) if of in kept})
        for one in message_ids
    ]
