"""F15: whatever is done, in any order, the exchange stands as a model of a few lines says that it must."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

import fixtures
from messaging.app import open_exchange
from messaging.errors import Conflict, NotFound
from messaging.flow import acknowledge, clients, collect, renew, retain, watch, work
from messaging.flow.acknowledge import Answer
from messaging.flow.exchange import Exchange
from messaging.flow.handed import Handed
from messaging.flow.receive import receive
from messaging.flow.seal import Sealer
from messaging.flow.verify import verify
from messaging.model.access import Role
from messaging.model.party import Client
from messaging.model.receipt import ReceiptError, ReceiptStatus
from messaging.model.retention import HoldScope
from messaging.settings import Settings
from world import UNHURRIED, Databases, SetClock

EXAMPLES = int(os.environ.get("SAMHANDLING_TEST_EXAMPLES", "0"))
"""How many runs; without it 50 on SQLite, and a few on PostgreSQL."""
STEPS = 30
NURSING = 8110001
DOCUMENT = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
ADMIN = Client("admin", "admin", Role.ADMIN)
HOSPITAL, MUNICIPALITY = (
    next(one for one in fixtures.clients() if one.name == name) for name in ("sykehus", "kommune")
)
KEPT, METADATA = timedelta(days=30), timedelta(days=365)
LIVES = ("waiting", "collected")
Result = TypeVar("Result")


@dataclass
class Message:
    """What the model knows of a message."""

    id: UUID
    content: bytes
    state: str = "waiting"
    ended_at: datetime | None = None
    is_destroyed: bool = False
    holds: int = 0


class Machine(RuleBasedStateMachine):
    """The exchange, and beside it the model."""

    messages = Bundle("messages")
    holds = Bundle("holds")

    def __init__(self, fresh: Callable[[], Coroutine[Any, Any, str]], folder: Path) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._clock = SetClock()
        self._known: dict[UUID, Message] = {}
        settings = {"database_url": self._runner.run(fresh()), "key_file": folder / uuid4().hex, **UNHURRIED}
        self._settings = Settings.model_validate(settings)
        self._stack = AsyncExitStack()

    def _do(self, act: Coroutine[Any, Any, Result]) -> Result:
        return self._runner.run(act)

    async def _open(self) -> Exchange:
        exchange = await self._stack.enter_async_context(open_exchange(self._settings, clock=self._clock, alone=True))
        await self._stack.enter_async_context(work.running(exchange, deliver=False))
        return exchange

    @initialize()
    def begin(self) -> None:
        self.exchange = self._do(self._open())
        self._do(clients.register_parties(self.exchange, fixtures.parties(), actor="test"))
        for one in (HOSPITAL, MUNICIPALITY):
            self._do(clients.register_client(self.exchange, one, actor="test"))

    @rule()
    def restart(self) -> None:
        """All that was in memory is gone."""
        self._do(self._stack.aclose())
        self._stack = AsyncExitStack()
        self.exchange = self._do(self._open())

    @rule(target=messages)
    def submit(self) -> Message:
        content = re.sub(rb"(<MsgId>)[^<]+", rb"\g<1>" + str(uuid4()).encode(), DOCUMENT, count=1)
        taken = self._do(receive(self.exchange, HOSPITAL, Handed(content, "test")))
        assert not taken.replayed
        message = Message(taken.message_id, content)
        assert message.id not in self._known
        self._known[message.id] = message
        return message

    @rule(message=messages)
    def repeat(self, message: Message) -> None:
        taken = self._do(receive(self.exchange, HOSPITAL, Handed(message.content, "test")))
        assert (taken.message_id, taken.replayed) == (message.id, True)

    @rule(message=messages)
    def repeat_with_other_bytes(self, message: Message) -> None:
        with pytest.raises(Conflict):
            self._do(receive(self.exchange, HOSPITAL, Handed(message.content + b"\n", "test")))

    @rule(message=messages)
    def collect(self, message: Message) -> None:
        if self._is_reduced(message):
            return
        self._do(collect.mark_downloaded(self.exchange, MUNICIPALITY, message.id, NURSING))
        message.state = "collected" if message.state == "waiting" else message.state

    @rule(message=messages, status=st.sampled_from([ReceiptStatus.OK, ReceiptStatus.REJECTED]))
    def answer(self, message: Message, status: ReceiptStatus) -> None:
        """The first AppRec counts, and no later one."""
        if message.is_destroyed or self._is_reduced(message):
            return
        errors = (ReceiptError("E36"),) if status is ReceiptStatus.REJECTED else ()
        said = Answer(NURSING, status, errors)
        self._do(acknowledge.acknowledge(self.exchange, MUNICIPALITY, message.id, said, door="test"))
        if message.state in LIVES:
            message.state = "rejected" if errors else "acknowledged"
            message.ended_at = self._clock()

    @rule(message=messages, target=holds)
    def hold(self, message: Message) -> tuple[UUID, Message]:
        review = self._clock() + timedelta(days=9)
        placed = retain.place_hold(
            self.exchange, ADMIN, HoldScope.MESSAGE, str(message.id), reason="a complaint", review_at=review
        )
        message.holds += 1
        return self._do(placed), message

    @rule(held=consumes(holds))
    def release(self, held: tuple[UUID, Message]) -> None:
        hold, message = held
        self._do(retain.release_hold(self.exchange, ADMIN, hold, reason="settled"))
        message.holds -= 1

    @rule(days=st.sampled_from([1, 10, 31]))
    def wait(self, days: int) -> None:
        self._clock.forward(days=days)
        self._do(watch.sweep(self.exchange))

    @rule()
    def retain(self) -> None:
        self._do(retain.run(self.exchange, ADMIN))
        for message in self._known.values():
            over = message.ended_at is not None and message.ended_at + KEPT <= self._clock()
            message.is_destroyed = message.is_destroyed or (over and not message.holds)

    @rule()
    def renew_keys(self) -> None:
        self._do(renew.rotate(self.exchange, ADMIN))
        self._do(renew.rewrap(self.exchange, ADMIN))

    def _is_reduced(self, message: Message) -> bool:
        """Whether the message may have been reduced to what answers a repetition."""
        return message.ended_at is not None and message.ended_at + METADATA <= self._clock()

    @invariant()
    def stands_as_the_model_says(self) -> None:
        for message in self._known.values():
            if self._is_reduced(message):
                continue
            kept = self._do(collect.message(self.exchange, HOSPITAL, message.id, door="test"))
            assert [one["state"] for one in kept.deliveries] == [message.state]
            reading = collect.document(self.exchange, MUNICIPALITY, message.id, door="test")
            if message.is_destroyed:
                with pytest.raises(NotFound):
                    self._do(reading)
            else:
                assert self._do(reading) == message.content

    def teardown(self) -> None:
        if hasattr(self, "exchange"):
            self._do(self._log_is_whole())
        self._do(self._stack.aclose())
        self._runner.close()

    async def _log_is_whole(self) -> None:
        sealer = Sealer(self.exchange)
        while await sealer.seal():
            pass
        report = await verify(self.exchange, ADMIN)
        assert [one for one in report.findings if not one.is_notice and one.anchor is None] == []


@pytest.mark.parametrize(("kind", "examples"), [("sqlite", 50), ("postgresql", 5)])
def test_f15_whatever_is_done_in_any_order_the_exchange_stands_as_the_model_says(
    databases: Databases, tmp_path: Path, kind: str, examples: int
) -> None:
    fresh: Callable[[], Coroutine[Any, Any, str]] = getattr(databases, kind)
    urls: list[str] = []

    async def another() -> str:
        urls.append(await fresh())
        return urls[-1]

    try:
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            lambda: Machine(another, tmp_path),
            settings=hypothesis_settings(
                max_examples=EXAMPLES or examples,
                stateful_step_count=STEPS,
                deadline=None,
                derandomize=not EXAMPLES,  # the usual run tries the same each time; a longer one looks further
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        for url in urls:
            asyncio.run(databases.drop(url))
