"""A storm: senders, collectors, a far side and a stranger at work while something goes wrong; then calm, a judgement.

What goes wrong is handed in; it is run beside the clients until the storm is over.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.checker import ENDS, Violation
from faults.evidence import History
from faults.evidence import history as kept_history
from faults.far_side import FarSide, listening
from faults.figures import RUNS
from faults.gathering import judge
from faults.processes import House, house
from faults.terms import SECONDS
from faults.traffic import GP, HOSPITAL, MUNICIPALITY, NURSING, Caller, Collector, Sender, Stranger, until
from sqlalchemy import func, select

import fixtures
from messaging.app import open_exchange
from messaging.flow import clients
from messaging.model.sight import EVERYTHING
from messaging.settings import RouteSetting, Settings
from messaging.store import tables as t
from messaging.store.session import Database

CALM_WITHIN = 60.0
STRUCK_WITHIN = 120.0
"""Seconds in which a fault must have happened as often as it is to."""
SECRET = "whsec_" + "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="

SLACK = {"fds": 60, "threads": 40, "rss_mib": 200}
"""How much more a process may hold after a storm than just after its start."""

Fault = Callable[["Storm"], Awaitable[None]]


@dataclass
class Storm:
    """What a fault may get hold of."""

    house: House
    draw: random.Random
    over: asyncio.Event = field(default_factory=asyncio.Event)
    senders: list[Sender] = field(default_factory=list)
    far: FarSide | None = None
    strikes: int = 0
    """How often the fault has happened."""
    pauses: list[tuple[float, float]] = field(default_factory=list)
    """When a process stood still, in seconds since 1970."""
    recoveries: list[float] = field(default_factory=list)
    """Seconds from the end of a fault to the first time that all was well again."""

    def struck(self) -> None:
        """Count that the fault has happened once more."""
        self.strikes += 1


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What a storm is like."""

    seconds: float = SECONDS
    least: int = 1
    """It goes on until the fault has happened so often."""
    instances: int = 1
    collectors: int = 2
    forgets: Sequence[float] = (0.1,)
    """How often collectors stop half-way: the first, the second, and so on round."""
    pushed: bool = False
    """Whether the municipality has a receiver of its own, to which messages are pushed, instead of a mailbox."""
    bad: int = 30
    """How often, of a hundred, that receiver misbehaves."""
    tls: tuple[ssl.SSLContext, Path] | None = None
    """How that receiver serves TLS, and the file of the certificate that the exchange trusts."""
    urls: Callable[[House], list[str]] = lambda house: house.urls
    """Where the clients ask."""
    start: Callable[[House], Awaitable[None]] | None = None
    """Starts the processes in another way than `samhandling serve`."""
    calm_by: Callable[[Storm], Awaitable[None]] | None = None
    """What is done first when the storm is over."""
    resources: bool = True
    """Whether the processes' resources are compared with what they were before."""
    terms: Mapping[str, Any] = field(default_factory=dict)
    """More settings."""


async def weather(
    settings: Settings, folder: Path, draw: random.Random, fault: Fault, conditions: Conditions
) -> tuple[list[Violation], Storm]:
    """Run a storm and judge it."""
    async with AsyncExitStack() as stack:
        journals = stack.enter_context(_journals(folder))
        settings = settings.model_copy(update=conditions.terms)
        far = None
        if conditions.pushed:
            history = journals("far", MUNICIPALITY)
            context, trusted = conditions.tls or (None, None)
            far = await stack.enter_async_context(listening(FarSide(history, draw, conditions.bad), context))
            settings = _pushing(settings, far.url, trusted)
        keys = await registered(settings)
        served = await stack.enter_async_context(
            house(settings, folder, instances=0 if conditions.start else conditions.instances)
        )
        if conditions.start is not None:
            await conditions.start(served)
        storm = Storm(served, draw, far=far)
        callers = _cast(storm, keys, journals, conditions)
        before = _measured(served)
        await _blow(storm, fault, callers, conditions)
        if conditions.calm_by is not None:
            await conditions.calm_by(storm)
        calm = await _calm(settings, storm, callers)
        after = _measured(served)
        for one in callers:
            await one.close()
        for instance in served.instances:
            await instance.stop()
    resources = {"before": before, "after": after, "slack": SLACK} if conditions.resources else None
    found = await judge(settings, folder, resources=resources, pauses=storm.pauses)
    if not calm:
        found.append(Violation("I3 everything reaches its end", f"not calm within {CALM_WITHIN:g} s"))
    RUNS[-1] |= {
        "strikes": storm.strikes,
        "kills": sum(one.kills for one in served.instances),
        "slowest_start": round(max([one.slowest_start for one in served.instances] + storm.recoveries), 2),
        "promises_broken": len(found),
    }
    return found, storm


async def _blow(storm: Storm, fault: Fault, callers: list[Caller], conditions: Conditions) -> None:
    """Let the clients work while the fault does what it does."""
    tasks = [asyncio.create_task(one) for one in _acts(storm, callers)]
    blowing = asyncio.create_task(fault(storm))
    end = time.monotonic() + conditions.seconds
    latest = end + STRUCK_WITHIN
    try:
        while not blowing.done() and (
            time.monotonic() < end or (storm.strikes < conditions.least and time.monotonic() < latest)
        ):
            await asyncio.wait([blowing], timeout=0.1)
    finally:
        storm.over.set()
        await asyncio.wait([blowing, *tasks])  # all of them, so that what failed here disturbs no other test
    await asyncio.gather(blowing, *tasks)


@contextmanager
def _journals(folder: Path) -> Iterator[Callable[[str, list[int]], History]]:
    with ExitStack() as stack:
        yield lambda name, her_ids: stack.enter_context(kept_history(folder, name, her_ids))


def _pushing(settings: Settings, url: str, trusted: Path | None) -> Settings:
    far = {"kind": "http_post", "url": url, "secret": SECRET, "timeout_seconds": 1.5}
    if trusted is not None:
        far["ca_file"] = str(trusted)
    return settings.model_copy(update={"adapters": {"far": far}, "routes": (RouteSetting(her_id=NURSING, to="far"),)})


async def registered(settings: Settings) -> dict[str, str]:
    """Register who takes part; gives each client's key."""
    async with open_exchange(settings) as exchange:
        await clients.register_parties(exchange, fixtures.parties(), actor="faults")
        return {one.name: await clients.register_client(exchange, one, actor="faults") for one in fixtures.clients()}


def _cast(
    storm: Storm, keys: dict[str, str], journals: Callable[[str, list[int]], History], conditions: Conditions
) -> list[Caller]:
    draw, urls = storm.draw, conditions.urls(storm.house)
    storm.senders = [Sender(urls, keys["sykehus"], journals(f"ward-{n}", HOSPITAL), draw) for n in range(4)]
    return [
        *storm.senders,
        *(
            Collector(
                urls,
                keys["kommune"],
                journals(f"nursing-{n}", MUNICIPALITY),
                draw,
                her_ids=MUNICIPALITY,
                forgets=conditions.forgets[n % len(conditions.forgets)],
            )
            for n in range(conditions.collectors)
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
