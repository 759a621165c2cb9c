"""The play: one patient's stay, message by message, and what must be true when it has ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fixtures.stay import Step, stay
from messaging.demo.systems import Standing, System, system_of
from messaging.demo.world import Guest
from messaging.http import AsyncClient, HTTPError, Response
from messaging.model.clock import system_clock

_PATIENCE_SECONDS = 60
_OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Played:
    """One step as it went: the id that the exchange gave, how it stands at each receiver, what each one got."""

    step: Step
    message_id: str
    standings: tuple[Standing, ...]
    arrived: dict[int, bytes]
    seconds: float
    """From the sender's request until the sender saw the last AppRec."""


@dataclass(frozen=True, slots=True)
class Row:
    """One message at one receiver when the play is over: as its sender sees it, and as the operator does."""

    step: Step
    receiver: int
    transport: str
    apprec: str
    state: str
    timeline: int
    same_bytes: bool

    @property
    def wrong(self) -> list[str]:
        """Say what is not as the script wants it."""
        found = {
            f"transport is {self.transport}": self.transport != "Acknowledged",
            f"the AppRec is {self.apprec}": self.apprec != "Ok",
            f"the delivery is {self.state}": self.state != "acknowledged",
            "the timeline is empty": self.timeline == 0,
            "the document did not arrive as it was sent": not self.same_bytes,
        }
        where = f"step {self.step.number}, {self.step.type} to {self.receiver}"
        return [f"{where}: {sentence}" for sentence, is_so in found.items() if is_so]


async def play(base_url: str, guests: list[Guest], played: list[Played], tell: Callable[[Played], None]) -> list[str]:
    """Play the stay; each step joins `played` and is told. Returns what stopped the play, if something did."""
    script = stay(system_clock())
    wrong = []
    try:
        async with _systems(base_url, guests) as systems:
            for step in script:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    done = await _step(step, systems)
                played.append(done)
                tell(done)
    except* (HTTPError, TimeoutError) as stopped:
        where = [f"step {step.number}, {step.type}" for step in script[len(played) :]] or ["after the last step"]
        wrong.append(f"{where[0]}: {reason(stopped)}")
    return wrong


async def _step(step: Step, systems: dict[str, System]) -> Played:
    began = time.monotonic()
    sender = systems[step.client]
    message_id = await sender.send(step)
    standings = await sender.answered(message_id)
    arrived = {
        receiver: system.received[message_id, receiver]
        for receiver in step.receiver_her_ids
        for system in systems.values()
        if (message_id, receiver) in system.received
    }
    return Played(step, message_id, tuple(standings), arrived, time.monotonic() - began)


@asynccontextmanager
async def _systems(base_url: str, guests: list[Guest]) -> AsyncIterator[dict[str, System]]:
    """Run every client's system for as long as the block lasts; if one of them fails, the block ends."""
    systems = {guest.name: system_of(base_url, guest) for guest in guests if guest.name != _OPERATOR}
    try:
        for system in systems.values():
            await system.prepare()
        async with asyncio.TaskGroup() as group:
            tasks = {group.create_task(system.work()): system for system in systems.values()}
            yield systems
            for task, system in tasks.items():
                async with system.busy:
                    task.cancel()
    finally:
        for system in systems.values():
            await system.close()


def reason(error: BaseException) -> str:
    """Say in one line what stopped the play, with the exchange's own words where it gave some."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        return f"no AppRec came within {_PATIENCE_SECONDS} s"
    answer: Response | None = getattr(error, "response", None)
    if answer is None:
        return f"the exchange does not answer ({type(error).__name__})"
    return f"{answer.request.method} {answer.request.url.path} was answered {answer.status_code}: {answer.text[:500]}"


async def closing(base_url: str, guests: list[Guest], played: list[Played]) -> list[Row]:
    """Ask each sender's door and the operator's how every message stands, now that the play is over."""
    operator = next(guest for guest in guests if guest.name == _OPERATOR)
    systems = {guest.name: system_of(base_url, guest) for guest in guests if guest.name != _OPERATOR}
    rows = []
    async with AsyncClient(base_url=base_url, auth=operator.auth) as http:
        for done in played:
            standings = await systems[done.step.client].status(done.message_id)
            watched = (await http.get(f"/operations/messages/{done.message_id}")).raise_for_status().json()
            states = {row["receiver"]: row["state"] for row in watched["deliveries"]}
            rows += [_row(done, standing, states, len(watched["timeline"])) for standing in standings]
    for system in systems.values():
        await system.close()
    return rows


def _row(done: Played, standing: Standing, states: dict[int, str], timeline: int) -> Row:
    return Row(
        step=done.step,
        receiver=standing.receiver,
        transport=standing.transport,
        apprec=standing.apprec or "none",
        state=states.get(standing.receiver, "unknown"),
        timeline=timeline,
        same_bytes=done.arrived.get(standing.receiver) == done.step.content,
    )
