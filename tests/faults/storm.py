"""A storm: senders, collectors, a far side and a stranger at work while something goes wrong; then calm, a judgement.

What goes wrong is handed in; it is run beside the clients until the storm is over.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from faults.checker import ENDS, Violation
from faults.evidence import History
from faults.evidence import history as kept_history
from faults.far_side import FarSide, far_side
from faults.gathering import judge
from faults.processes import House, house
from faults.terms import hurried
from faults.traffic import GP, HOSPITAL, MUNICIPALITY, NURSING, Caller, Collector, Sender, Stranger, until
from sqlalchemy import func, select

import fixtures
from messaging.app import open_exchange
from messaging.flow import clients
from messaging.model.sight import EVERYTHING
from messaging.settings import Settings
from messaging.store import tables as t
from messaging.store.session import Database

CALM_WITHIN = 60.0
SECRET = "whsec_" + "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="

Fault = Callable[["Storm"], Awaitable[None]]


@dataclass
class Storm:
    """What a fault may get hold of."""

    house: House
    draw: random.Random
    over: asyncio.Event = field(default_factory=asyncio.Event)
    senders: list[Sender] = field(default_factory=list)
    far: FarSide | None = None


async def weather(
    settings: Settings,
    folder: Path,
    draw: random.Random,
    fault: Fault,
    *,
    seconds: float,
    instances: int = 1,
    pushed: bool = False,
    urls: Callable[[House], list[str]] = lambda house: house.urls,
) -> tuple[list[Violation], Storm]:
    """Run a storm and judge it. `pushed` sends to the municipality's own receiver instead of its mailbox."""
    async with AsyncExitStack() as stack:
        journals = stack.enter_context(_journals(folder))
        far = await stack.enter_async_context(far_side(journals("far", MUNICIPALITY), draw)) if pushed else None
        if far is not None:
            settings = _pushing(settings, folder, far.url)
        keys = await _registered(settings)
        served = await stack.enter_async_context(house(settings, folder, instances=instances))
        storm = Storm(served, draw, far=far)
        callers = _cast(storm, keys, journals, urls(served))
        before = _measured(served)
        tasks = [asyncio.create_task(one) for one in _acts(storm, callers)]
        blowing = asyncio.create_task(fault(storm))
        await asyncio.wait([blowing], timeout=seconds)
        storm.over.set()
        await blowing
        await asyncio.gather(*tasks)
        calm = await _calm(settings, storm, callers)
        after = _measured(served)
        for one in callers:
            await one.close()
        for instance in served.instances:
            await instance.stop()
    resources = {"before": before, "after": after, "slack": {"fds": 60, "threads": 40, "rss_mib": 200}}
    found = await judge(settings, folder, resources=resources)
    if not calm:
        found.append(Violation("I3 everything reaches its end", f"not calm within {CALM_WITHIN:g} s"))
    return found, storm


@contextmanager
def _journals(folder: Path) -> Iterator[Callable[[str, list[int]], History]]:
    with ExitStack() as stack:
        yield lambda name, her_ids: stack.enter_context(kept_history(folder, name, her_ids))


def _pushing(settings: Settings, folder: Path, url: str) -> Settings:
    return hurried(
        settings.database_url,
        folder,
        adapters={"far": {"kind": "http_post", "url": url, "secret": SECRET, "timeout_seconds": 1.5}},
        routes=[{"her_id": NURSING, "to": "far"}],
    )


async def _registered(settings: Settings) -> dict[str, str]:
    """Register who takes part; gives each client's key."""
    async with open_exchange(settings) as exchange:
        await clients.register_parties(exchange, fixtures.parties(), actor="faults")
        return {one.name: await clients.register_client(exchange, one, actor="faults") for one in fixtures.clients()}


def _cast(
    storm: Storm, keys: dict[str, str], journals: Callable[[str, list[int]], History], urls: list[str]
) -> list[Caller]:
    draw = storm.draw
    storm.senders = [Sender(urls, keys["sykehus"], journals(f"ward-{n}", HOSPITAL), draw) for n in range(4)]
    return [
        *storm.senders,
        *(
            Collector(urls, keys["kommune"], journals(f"nursing-{n}", MUNICIPALITY), draw, her_ids=MUNICIPALITY)
            for n in range(2)
        ),
        Collector(urls, keys["sykehus"], journals("ward-receipts", HOSPITAL), draw, her_ids=HOSPITAL, answers=False),
        Stranger(urls, keys["lege"], journals("stranger", [GP]), draw),
    ]


def _acts(storm: Storm, callers: list[Caller]) -> Iterator[Awaitable[None]]:
    for one in callers:
        match one:
            case Sender() | Collector():
                yield one.run(storm.over)
            case Stranger():
                yield one.run(storm.over, lambda: [one for s in storm.senders for one in s.accepted.values()])
    if storm.far is not None:
        answering = next(one for one in callers if isinstance(one, Collector))
        yield _answer_pushed(storm, storm.far, answering)


async def _answer_pushed(storm: Storm, far: FarSide, answering: Collector) -> None:
    """Answer what was pushed, through the API, as the municipality's system does."""
    while not (storm.over.is_set() and far.owed.empty()):
        try:
            async with asyncio.timeout(0.2):
                message_id, receiver = await far.owed.get()
        except TimeoutError:
            continue
        if not await answering.answer(message_id, receiver):
            far.owed.put_nowait((message_id, receiver))
            await asyncio.sleep(0.05)


async def _calm(settings: Settings, storm: Storm, callers: list[Caller]) -> bool:
    """Let everything that is owed be done, now that nothing goes wrong any more."""
    enough = asyncio.Event()
    for one in callers:
        if isinstance(one, Collector):
            one.forgets = 0
    if storm.far is not None:
        storm.far.bad = 0
    working = [asyncio.create_task(one.run(enough)) for one in callers if isinstance(one, Collector)]
    if storm.far is not None:
        answering = next(one for one in callers if isinstance(one, Collector))
        calming = Storm(storm.house, storm.draw, enough)
        working.append(asyncio.create_task(_answer_pushed(calming, storm.far, answering)))
    database = Database(settings.database_url, pool_size=2)

    async def settled() -> bool:
        async with database.read(EVERYTHING) as tx:
            query = select(func.count()).select_from(t.delivery).where(t.delivery.c.state.not_in(ENDS))
            return not await tx.scalar(query)

    try:
        calm = await until(settled, within=CALM_WITHIN, every=0.25)
    finally:
        await database.close()
    for sender in storm.senders:
        for message_id in list(sender.accepted.values())[-5:]:
            await sender.look(message_id)
    enough.set()
    await asyncio.gather(*working)
    return calm


def _measured(served: House) -> dict[str, int]:
    found = [one.measure() for one in served.instances]
    return {name: sum(one[name] for one in found) for name in found[0]}
