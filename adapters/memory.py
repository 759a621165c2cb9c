"""The fake that keeps everything in memory, for tests and trials; and the skeleton to copy for an adapter of your own.

An adapter answers three questions. What must the operator tell it? (`Settings`) How is a parcel handed over, and what
does the far side's answer mean? (`deliver`) How do documents come in, and when is the far side told that we have them?
(`listen`) `open_memory` holds what lives as long as the instance, and `KIND` is what the entry point names.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import BaseModel, ConfigDict, PositiveInt

from messaging.spi import AdapterKind, Outcome, Parcel, Sent, Submission, Submit, Verdict


class Settings(BaseModel):
    """What the operator sets for an instance."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keeps: PositiveInt = 1000
    """So many parcels are kept; the oldest is forgotten first."""


class Memory:
    """A far side that takes everything, unless a test has put other answers in `outcomes`."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.delivered: deque[Parcel] = deque(maxlen=settings.keeps)
        self.outcomes: deque[Outcome | Exception] = deque()
        self._fed: asyncio.Queue[tuple[bytes, asyncio.Future[Verdict]]] = asyncio.Queue()

    async def deliver(self, parcel: Parcel) -> Outcome:
        """Keep the parcel, and answer with the next of `outcomes`, or Sent when there is none."""
        self.delivered.append(parcel)
        outcome = self.outcomes.popleft() if self.outcomes else Sent("kept in memory")
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def listen(self, submit: Submit) -> None:
        """Submit what is fed, and tell the verdict; the far side may forget a document only when it is accepted."""
        while True:
            content, verdict = await self._fed.get()
            try:
                answer = await submit(Submission(content, source=self.name))
                if not verdict.done():
                    verdict.set_result(answer)
            finally:
                verdict.cancel()  # nothing happens if it has been told

    async def feed(self, content: bytes) -> Verdict:
        """Play the far side: hand a document in, and wait for the verdict."""
        verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._fed.put_nowait((content, verdict))
        return await verdict


@asynccontextmanager
async def open_memory(name: str, settings: Settings, _reach: object = None) -> AsyncIterator[Memory]:
    """Open an instance; a real adapter opens its connections here, and closes them when the context is left."""
    yield Memory(name, settings)


KIND = AdapterKind("memory", Settings, open_memory)
