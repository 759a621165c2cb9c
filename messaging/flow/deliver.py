"""Deliver: a worker takes what is due on a route, hands it to the adapter, and settles what came of it.

Claim (committed) → adapter (no transaction open) → settle (committed). A worker that is late loses on `version`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from messaging.errors import CallerError, DocumentDamaged, Unavailable
from messaging.flow.exchange import Exchange
from messaging.flow.opening import document_of
from messaging.flow.receive import Handed, judge, receive
from messaging.flow.routes import circuit_of
from messaging.logs import logger_of
from messaging.model.lifecycle import Event, State
from messaging.model.log import LogEvent
from messaging.model.message import Envelope
from messaging.model.notification import NotificationType
from messaging.model.party import Client
from messaging.model.retry import Circuit, CircuitState
from messaging.model.sight import EVERYTHING
from messaging.spi import Adapter, Deferred, Outcome, Parcel, Refused, Sent
from messaging.store import deliveries, messages, notifications, routes, wakeups
from messaging.store.deliveries import Held
from messaging.store.routes import RouteRecord
from messaging.store.session import WriteTx
from messaging.traces import span

logger = logger_of(__name__)

_LOOK_ANYWAY = 5.0
"""Seconds between looks at an idle route: a retry comes due without anybody waking the worker."""

_WHOLE_EVERY = 30.0
"""Seconds after which a worker looks at the whole line of its route again."""

_SEEN_LATE = timedelta(seconds=10)
"""So much earlier than its front a line is looked at: a transaction is seldom open for longer."""

_OF_THE_LEASE = 0.9
"""The part of a lease within which an attempt ends, so that it is settled before the lease is over."""


@dataclass(frozen=True, slots=True)
class _Damaged:
    """The document cannot be opened, so there is nothing to hand over until it is restored and sent again."""

    reason: str = "the document is damaged where it is kept"


class Front:
    """Where a route's line begins, as far as this worker has seen; it looks from there on, and now and then at all.

    What is put in line is due when it is written or later, but may be seen some seconds afterwards, when its
    transaction ends; and what another worker took may stand there again. A look at the whole line finds both.
    """

    def __init__(self) -> None:
        self._begins: datetime | None = None
        self._whole_at = 0.0

    def since(self, seconds: float) -> datetime | None:
        """Say from which due time on to look, by the seconds of the event loop; None: at the whole line."""
        if seconds >= self._whole_at:
            self._begins, self._whole_at = None, seconds + _WHOLE_EVERY
        return None if self._begins is None else self._begins - _SEEN_LATE

    def seen(self, claimed: Sequence[Held], now: datetime) -> None:
        """Note what was found there, the longest due first: what was due before the last of it is taken."""
        if claimed:
            self._begins = claimed[-1].due_at
        elif self._begins is None:
            self._begins = now


class RouteWorker:
    """Delivers what one route owes, a few at a time, and lets the route rest while the far side is down."""

    def __init__(self, exchange: Exchange, route: str, adapter: Adapter, *, actor: str) -> None:
        self._exchange = exchange
        self._route = route
        self._adapter = adapter
        self._actor = actor
        self._front = Front()
        self._failures = 0
        """How many attempts had failed in a row, here or in another process, when the last were claimed."""

    async def run(self) -> None:
        """Work until cancelled; an outage of the database is waited out."""
        self._front = Front()
        async with self._exchange.wakeups.subscribe([wakeups.route(self._route)]) as woken:
            while True:
                woken.clear()
                try:
                    busy = await self.work_once()
                except Unavailable:
                    logger.warning(LogEvent.DATABASE_AWAITED, part="delivery", adapter=self._route)
                    busy, self._front = False, Front()  # nobody knows whether what was taken is taken
                if busy:
                    continue
                try:
                    async with asyncio.timeout(_LOOK_ANYWAY):
                        await woken.wait()
                except TimeoutError:
                    continue

    async def work_once(self) -> bool:
        """Claim what a route that is not parked admits, and deliver it; tells whether there was anything."""
        exchange = self._exchange
        now = exchange.clock()
        until = asyncio.get_running_loop().time() + exchange.terms.lease.total_seconds() * _OF_THE_LEASE
        async with exchange.database.write(EVERYTHING) as tx:
            route = await routes.for_claiming(tx, self._route)
            circuit = circuit_of(exchange, route)
            tries = circuit.state(now) is CircuitState.HALF_OPEN
            claimed = [] if tries else await self._claim(tx, route, circuit, now)
        if tries:
            return await self._try_alone(now, until)
        await asyncio.gather(*(self._deliver(held, until) for held in claimed))
        return bool(claimed)

    async def _claim(self, tx: WriteTx, route: RouteRecord, circuit: Circuit, now: datetime) -> Sequence[Held]:
        terms = self._exchange.terms
        limit = circuit.admits(now, terms.route_concurrency)
        if limit == 0 or route.parked_at is not None:
            return ()
        self._failures = route.failures
        lease_until = now + terms.lease
        claimed = await deliveries.claim(
            tx,
            self._route,
            at=now,
            lease_until=lease_until,
            limit=limit,
            actor=self._actor,
            since=self._front.since(asyncio.get_running_loop().time()),
        )
        self._front.seen(claimed, now)
        return claimed

    async def _try_alone(self, now: datetime, until: float) -> bool:
        """Try a route that has rested with one attempt; meanwhile it rests on for all others, for a lease at most."""
        exchange = self._exchange
        ends = now + exchange.terms.lease
        async with exchange.database.write(EVERYTHING) as tx:
            route = await routes.hold(tx, self._route)
            claimed = await self._claim(tx, route, circuit_of(exchange, route), now)
            if claimed:
                await routes.change(tx, self._route, rests_until=ends)
        await asyncio.gather(*(self._deliver(held, until) for held in claimed))
        if claimed:
            await self._have_tried(ends)
        return bool(claimed)

    async def _have_tried(self, ends: datetime) -> None:
        """Let the next one try at once when nothing was sent after all, such as a document that is no longer kept."""
        async with self._exchange.database.write(EVERYTHING) as tx:
            if (await routes.hold(tx, self._route)).rests_until == ends:
                await routes.change(tx, self._route, rests_until=self._exchange.clock())

    async def _deliver(self, held: Held, until: float) -> None:
        """Send one delivery and settle it, by the time of the event loop at which the lease is nearly over."""
        exchange = self._exchange
        async with exchange.database.read(EVERYTHING) as tx:
            row = await messages.get(tx, held.message_id)
        try:
            content = await document_of(exchange, EVERYTHING, held.message_id)
        except DocumentDamaged:
            await self._settle(held, _Damaged())
            return
        if row is None or content is None:
            await self._settle(held, Refused("the document is no longer kept"))
            return
        parcel = Parcel(
            delivery_id=str(held.id),
            message_id=str(held.message_id),
            msg_id=row["msg_id"],
            sender_her_id=row["sender_her_id"],
            receiver_her_id=held.receiver_her_id,
            type=row["type"],
            content=content,
            attempt=held.attempts,
            is_apprec=messages.is_apprec(row),
        )
        if asyncio.get_running_loop().time() >= until:
            # We stood still: another worker has the delivery, or will, and a parcel of ours would come after its own.
            logger.warning(LogEvent.LEASE_LAPSED, adapter=self._route, delivery_id=held.id)
            return
        with span("attempt", route=self._route, delivery=parcel.delivery_id, message=parcel.message_id) as measured:
            outcome = await self._attempt(parcel, until)
            measured.set_attribute("samhandling.outcome", type(outcome).__name__.lower())
        await self._note(outcome)
        if isinstance(outcome, Sent) and outcome.receipt is not None:
            outcome = await self._take_receipt(held, parcel, outcome.receipt)
        await self._settle(held, outcome)

    async def _attempt(self, parcel: Parcel, until: float) -> Outcome:
        try:
            async with asyncio.timeout_at(until):
                return await self._adapter.deliver(parcel)
        except TimeoutError:
            return Deferred("the far side did not answer before the lease ran out")
        except Exception as error:
            logger.exception(LogEvent.ADAPTER_RAISED, adapter=self._route, delivery_id=parcel.delivery_id)
            return Deferred(f"the adapter failed with {type(error).__name__}")

    async def _note(self, outcome: Outcome) -> None:
        """Keep how the route's circuit stands after an attempt; while all goes well there is nothing to write."""
        failed = isinstance(outcome, Deferred)
        if not failed and not self._failures:
            return
        exchange = self._exchange
        now = exchange.clock()
        async with exchange.database.write(EVERYTHING) as tx:
            circuit = circuit_of(exchange, await routes.hold(tx, self._route))
            circuit = circuit.failed(now) if failed else circuit.succeeded()
            await routes.change(tx, self._route, failures=circuit.failures, rests_until=circuit.rests_until)
            if isinstance(outcome, Deferred):
                await routes.note_error(tx, self._route, outcome.reason, at=now)
        self._failures = circuit.failures

    async def _settle(self, held: Held, outcome: Outcome | _Damaged) -> None:
        exchange = self._exchange
        now = exchange.clock()
        event, detail, due = self._verdict(held, outcome)
        async with exchange.database.write(EVERYTHING) as tx:
            due_at = now + due if due is not None else None
            if event is Event.HANDED_OVER:
                due_at = await deliveries.receipt_deadline(tx, held)
            held = await deliveries.as_it_stands(tx, held)
            await deliveries.end_attempt(
                tx, held, at=now, outcome=type(outcome).__name__.lower().lstrip("_"), detail=detail
            )
            state = await deliveries.move(
                tx,
                held,
                event,
                at=now,
                actor=self._actor,
                detail={"attempt": held.attempts, "reason": detail},
                due_at=due_at,
                lease_until=None,
                refused_by_receiver=event is Event.REFUSED_BY_RECEIVER,
            )
            sender = await messages.sender_of(tx.reader, held.message_id)
            notices = _notices(held, state, sender)
            await notifications.write(tx, now, *notices)
        exchange.wakeups.wake(wakeups.mailbox(notice.her_id) for notice in notices)

    def _verdict(self, held: Held, outcome: Outcome | _Damaged) -> tuple[Event, str, timedelta | None]:
        """Turn an outcome into the event it is, the words for the timeline, and when to look again."""
        retry = self._exchange.terms.retry
        match outcome:
            case Sent(detail=detail):
                return (Event.HANDED_OVER if held.expects_receipt else Event.RECEIPT_HANDED_OVER), detail, None
            case _Damaged(reason=reason):
                return Event.GAVE_UP, reason, timedelta(0)
            case Refused(reason=reason):
                return Event.REFUSED_BY_RECEIVER, reason, None
            case Deferred(reason=reason) if retry.gives_up(held.attempts - held.attempts_before_resend):
                return Event.GAVE_UP, reason, timedelta(0)
            case Deferred(reason=reason, retry_after=after):
                asked = min(timedelta(seconds=after), retry.longest) if after else timedelta(0)
                return Event.DEFERRED, reason, max(retry.wait(held.attempts - held.attempts_before_resend), asked)

    async def _take_receipt(self, held: Held, parcel: Parcel, document: bytes) -> Outcome:
        """Receive the AppRec that the far side answered with, in the receiver's own name, before anything is settled.

        While the AppRec cannot be kept, nothing is settled: the same parcel goes out again, and is answered again.
        """
        verdict = await judge(self._exchange, document)
        if verdict.envelope is None or not verdict.envelope.is_apprec:
            return Sent("taken; its answer is no AppRec, and was left alone")
        if not _answers(verdict.envelope, parcel):
            return Sent("taken; its answer is an AppRec for another message, and was left alone")
        actor = Client(id=f"adapter:{self._route}", name=self._route, her_ids=frozenset({held.receiver_her_id}))
        try:
            await receive(self._exchange, actor, Handed(document, self._route))
        except Unavailable:
            return Deferred("its AppRec could not be kept just now")
        except CallerError as error:
            logger.warning(LogEvent.APPREC_NOT_TAKEN, delivery_id=held.id, error=type(error).__name__)
            return Sent("taken; its AppRec was refused and stands in the transport log")
        return Sent("taken, and answered with an AppRec")


def _answers(envelope: Envelope, parcel: Parcel) -> bool:
    """Tell whether an AppRec is for the parcel that it came in answer to: its MsgId, and back to who sent it."""
    if envelope.receipt is None or not envelope.receivers:
        return True  # it is refused with its faults
    addressee = envelope.receivers[0].address
    to_sender = parcel.sender_her_id in (addressee.her_id, addressee.parent_her_id)
    return to_sender and envelope.receipt.original_msg_id == parcel.msg_id


def _notices(held: Held, state: State | None, sender: int | None) -> list[notifications.Notice]:
    if sender is None or not held.expects_receipt or state in (None, State.PENDING):
        return []
    kinds = [NotificationType.DELIVERY_STATE_UPDATED]
    if state is State.SENT:
        kinds.insert(0, NotificationType.SENT_STATE_UPDATED)
    return [notifications.Notice(sender, kind, held.message_id, held.receiver_her_id) for kind in kinds]
