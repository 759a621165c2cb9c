"""Work: everything that runs beside the requests — committing, waking, delivering, listening, watching."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID

from messaging import spi
from messaging.errors import CallerError, Conflict, Refused, Unavailable
from messaging.flow import alarming, refuse, watch
from messaging.flow.anchoring import Anchoring
from messaging.flow.deliver import RouteWorker
from messaging.flow.exchange import Exchange
from messaging.flow.handed import Handed
from messaging.flow.receive import receive
from messaging.flow.seal import Sealer
from messaging.logs import logger_of
from messaging.model.faults import Fault
from messaging.model.log import LogEvent
from messaging.model.party import Client
from messaging.spi import Accepted, NotNow, Submission, Submit, Verdict
from messaging.store.shared_clock import SharedClock

logger = logger_of(__name__)

_BEGIN_AGAIN_AFTER = 1.0


@asynccontextmanager
async def running(exchange: Exchange, *, deliver: bool = True, worker: str = "worker") -> AsyncIterator[None]:
    """Run what the exchange needs beside the requests for as long as the block lasts.

    `deliver=False` leaves routes, inbound adapters and the watch to other processes.
    """
    work: list[tuple[str, Callable[[], Awaitable[None]]]] = [
        ("committer", exchange.committer.run),
        ("wake-ups", exchange.wakeups.run),
    ]
    if isinstance(exchange.clock, SharedClock):
        work.append(("clock", exchange.clock.run))
    if deliver:
        work += [("watch", partial(watch.run, exchange)), ("alarms", partial(alarming.run, exchange))]
        work += _sealing(exchange)
        for name, adapter in exchange.adapters.items():
            work.append((f"route {name}", RouteWorker(exchange, name, adapter, actor=worker).run))
            work.append((f"inbound {name}", partial(_listen, exchange, name, adapter)))
    tasks = [asyncio.create_task(_again_and_again(name, run), name=name) for name, run in work]
    try:
        yield
    finally:
        for task in reversed(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _sealing(exchange: Exchange) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
    if exchange.audit_key is None or not exchange.terms.seal_every:
        return []
    sealer = Sealer(exchange)
    return [
        ("sealer", sealer.run),
        *((f"anchor {anchor.name}", Anchoring(sealer, anchor).run) for anchor in exchange.anchors),
    ]


async def _again_and_again(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run until it returns; what it raises is said aloud, and it begins again: nothing here may stop unseen."""
    while True:
        try:
            await run()
        except Exception:
            logger.exception(LogEvent.PART_FAILED, part=name, next=f"it begins again in {_BEGIN_AGAIN_AFTER} s")
            await asyncio.sleep(_BEGIN_AGAIN_AFTER)
        else:
            return


async def _listen(exchange: Exchange, name: str, adapter: spi.Adapter) -> None:
    await adapter.listen(submit_to(exchange, name))


def submit_to(exchange: Exchange, instance: str) -> Submit:
    """Give an adapter instance its way in: it speaks for the HER-ids that the operator gave it, and for no others."""
    actor = Client(id=f"adapter:{instance}", name=instance, her_ids=exchange.speaks_for.get(instance, frozenset()))

    async def submit(submission: Submission) -> Verdict:
        try:
            taken = await receive(exchange, actor, Handed(submission.content, instance, submission.source))
        except Unavailable as error:
            return NotNow(str(error))
        except Refused as error:
            return await _rejected(exchange, actor, error, again=submission.again)
        except Conflict as error:
            return spi.Rejected(({"code": "E10", "text": str(error), "line": None, "path": None},))
        except CallerError as error:
            return spi.Rejected(({"code": "X99", "text": str(error), "line": None, "path": None},))
        return Accepted(str(taken.message_id), taken.replayed)

    return submit


async def _rejected(exchange: Exchange, actor: Client, error: Refused, *, again: bool) -> Verdict:
    faults = tuple(_told(fault) for fault in error.faults if isinstance(fault, Fault))
    try:
        receipts = await refuse.answer(exchange, actor, UUID(error.refusal_id or ""), again=again)
    except Unavailable as unavailable:
        return NotNow(str(unavailable))
    return spi.Rejected(faults, receipts)


def _told(fault: Fault) -> dict[str, Any]:
    return {"code": fault.code.value, "text": fault.text, "line": fault.line, "path": fault.path}
