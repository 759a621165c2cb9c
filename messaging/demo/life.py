"""A month of messages, played through the verbs: handed in, delivered or fetched, answered, each at its time.

What happens within some minutes is done at once, so that the exchange commits it in groups.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from random import Random
from typing import Any
from uuid import UUID

from fixtures import region
from fixtures.month import Posting
from fixtures.region import Organisation
from messaging.demo.paces import ERRORS, PACES, STOPPED_BEFORE_THE_END, error_in
from messaging.demo.told import happening
from messaging.errors import Refused
from messaging.flow import collect, watch
from messaging.flow.acknowledge import Answer, acknowledge
from messaging.flow.collect import InboxQuery
from messaging.flow.deliver import RouteWorker
from messaging.flow.exchange import Exchange
from messaging.flow.receive import Handed, receive
from messaging.flow.seal import Sealer
from messaging.model.receipt import ReceiptError, ReceiptStatus
from messaging.spi import Deferred, Outcome, Parcel, Sent, Submit
from messaging.store.messages import is_apprec

Deed = Callable[[datetime], Awaitable[None]]

DOOR = "edi-v3"
_AT_ONCE = 48
_WINDOW = timedelta(minutes=12)
_FETCHED_AT_MOST = 500
_WORKER = "worker:demo"
_REJECTED_LATELY, _EVERY = timedelta(hours=40), 4
"""In the last hours one answer of so many is negative, with one code after another, so that each is there to see."""
_LOSES_ANSWERS = (timedelta(days=6), timedelta(days=4, hours=2))
"""From when until when, before the end, the forgetful one answers nothing at all."""


@dataclass(order=True, slots=True)
class _Due:
    at: datetime
    number: int
    deed: Deed = field(compare=False)
    alone: bool = field(compare=False)


@dataclass(frozen=True, slots=True)
class _Taken:
    """A message that a receiver has, and may answer."""

    message_id: UUID
    sender: int
    receiver: int

    @classmethod
    def of(cls, row: dict[str, Any]) -> _Taken:
        return cls(row["id"], row["sender_her_id"], row["receiver_her_id"])


class Life:
    """What the region's systems do until `end`; each choice follows from the seed, whatever happens beside it."""

    def __init__(self, exchange: Exchange, *, seed: int, end: datetime) -> None:
        self.exchange = exchange
        self.end = end
        self.messages = 0
        """How many were taken in, AppRecs among them."""
        self._seed = seed
        self._due: list[_Due] = []
        self._number = 0
        self._clients = {client.id: client for client in region.clients()}
        self._of = {her_id: one for one in region.organisations() for her_id in one.her_ids}
        self._answers_lately = 0
        self._fetches: set[str] = set()
        """Clients that will fetch anyway."""
        self._workers: dict[str, RouteWorker] = {}
        self._sealer = Sealer(exchange)

    def do(self, at: datetime, deed: Deed, *, alone: bool = False) -> None:
        """Put a deed on the calendar; `alone` keeps others from happening beside it. What comes too late never does."""
        if at < self.end:
            self._number += 1
            heappush(self._due, _Due(at, self._number, deed, alone))

    def hand_in(self, posting: Posting) -> None:
        """Let a document be handed in at its time."""
        self.do(posting.at, lambda at: self._hand_in(posting, at))

    def connect(self, route: str, *, down_since: datetime | None = None) -> None:
        """Let a route be delivered on; from `down_since` on nobody answers there."""
        side = _FarSide(self, down_since)
        self._workers[route] = RouteWorker(self.exchange, route, side, actor=_WORKER)

    def deliver_every(self, route: str, pause: timedelta, *, since: datetime) -> None:
        """Let a route be tried again and again, as a worker does while something waits for it."""
        while since < self.end:
            self.do(since, lambda _at: self._deliver(route))
            since += pause

    async def live(self, tell: Callable[[datetime], None]) -> None:
        """Do all that is due, in its order; `tell` hears how far the time has gone."""
        while self._due:
            some = [heappop(self._due)]
            until = some[0].at + _WINDOW
            while not some[0].alone and self._due and len(some) < _AT_ONCE:
                if self._due[0].at >= until or self._due[0].alone:
                    break
                some.append(heappop(self._due))
            async with asyncio.TaskGroup() as group:
                for due in some:
                    group.create_task(_done(due))
            tell(some[-1].at)

    async def look_after(self, at: datetime) -> None:
        """Watch deadlines, seal the audit log, and count what was sealed."""
        await self.seal(at)
        while await watch.sweep(self.exchange):
            pass

    async def seal(self, _at: datetime) -> None:
        """Seal the audit log."""
        while await self._sealer.seal():
            pass

    def _lot(self, *about: object) -> Random:
        return Random(":".join(map(str, (self._seed, *about))))  # noqa: S311 - a story, no secret

    async def _hand_in(self, posting: Posting, at: datetime) -> None:
        client, organisation = self._clients[posting.client], self._of[posting.draft.sender]
        handed = Handed(posting.content(), DOOR, organisation.system)
        try:
            taken = await receive(self.exchange, client, handed)
        except Refused:
            return
        self.messages += 1
        for receiver in taken.envelope.receivers:
            self._await(receiver.address.her_id or 0, at)

    def _await(self, her_id: int, at: datetime) -> None:
        """See to it that what has come for a party is delivered, or fetched."""
        one = self._of[her_id]
        if one.route:
            self.do(at + timedelta(seconds=5), lambda _at: self._deliver(str(one.route)))
        elif one.client not in self._fetches:
            moment = PACES[one.pace].fetches_at(self._lot(one.client, at), at)
            if one.pace != "stopped" or moment < self.end - STOPPED_BEFORE_THE_END:
                self._fetches.add(one.client)
                self.do(moment, lambda then: self._fetch(one, then))

    async def _deliver(self, route: str) -> None:
        while await self._workers[route].work_once():
            pass

    async def _fetch(self, one: Organisation, at: datetime) -> None:
        self._fetches.discard(one.client)
        client = self._clients[one.client]
        found = await collect.inbox(self.exchange, client, InboxQuery(one.her_ids, limit=_FETCHED_AT_MOST))
        async with asyncio.TaskGroup() as group:
            for row in found:
                group.create_task(self._take(one, row, at))

    async def _take(self, one: Organisation, row: dict[str, Any], at: datetime) -> None:
        client, taken = self._clients[one.client], _Taken.of(row)
        answered = is_apprec(row)
        if not answered:
            await collect.document(self.exchange, client, taken.message_id, door=DOOR)
        await collect.mark_downloaded(self.exchange, client, taken.message_id, taken.receiver)
        if not answered:
            self.answer_later(taken, row["msg_id"], at)

    def answer_later(self, taken: _Taken, msg_id: str, at: datetime) -> None:
        """Let a receiver answer what it has, when its time comes."""
        lot, pace = self._lot(msg_id, taken.receiver), self._of[taken.receiver].pace
        since, until = (self.end - before for before in _LOSES_ANSWERS)
        moment = PACES[pace].answers_at(lot, at)
        if moment is not None and not (pace == "forgetful" and since < at < until):
            self.do(moment, lambda then: self._answer(taken, lot, then))

    async def _answer(self, taken: _Taken, lot: Random, at: datetime) -> None:
        one, wrong = self._of[taken.receiver], self._wrong(lot, at)
        status = ReceiptStatus.REJECTED if wrong else ReceiptStatus.OK
        answer = Answer(taken.receiver, status, (wrong,) if wrong else (), one.system)
        await acknowledge(
            self.exchange, self._clients[one.client], taken.message_id, answer, door=DOOR, source_system=one.system
        )
        self.messages += 1
        self._await(taken.sender, at)

    def _wrong(self, lot: Random, at: datetime) -> ReceiptError | None:
        if at < self.end - _REJECTED_LATELY:
            return error_in(lot)
        self._answers_lately += 1
        number, rest = divmod(self._answers_lately, _EVERY)
        return ERRORS[number - 1] if rest == 0 and number <= len(ERRORS) else None

    async def look_in(self) -> None:
        """Let everybody who still fetches look into its mailbox once more."""
        for one in region.organisations():
            stops = timedelta(minutes=2) if one.pace != "stopped" else STOPPED_BEFORE_THE_END
            if not one.route:
                client = self._clients[one.client]
                await happening(
                    self.end - stops, collect.unread(self.exchange, client, one.her_ids, limit=_FETCHED_AT_MOST)
                )


async def _done(due: _Due) -> None:
    await happening(due.at, due.deed(due.at))


@dataclass(frozen=True, slots=True)
class _FarSide:
    """A far side as the region has it: it takes parcels and answers them later, or nobody is there any more."""

    life: Life
    down_since: datetime | None

    async def deliver(self, parcel: Parcel) -> Outcome:
        """Take a parcel."""
        now = self.life.exchange.clock()
        if self.down_since is not None and now >= self.down_since:
            return Deferred("the connection failed (ConnectError)")
        if not parcel.is_apprec:
            taken = _Taken(UUID(parcel.message_id), parcel.sender_her_id, parcel.receiver_her_id)
            self.life.answer_later(taken, parcel.msg_id, now)
        return Sent("answered 202 Accepted")

    async def listen(self, submit: Submit) -> None:
        """Take nothing in: the organisation hands in by itself."""
