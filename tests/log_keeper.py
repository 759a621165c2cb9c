"""An audit log for tests: a sealer and its anchors, worked by hand."""

from __future__ import annotations

from typing import Any

from messaging.flow.anchoring import Anchoring
from messaging.flow.exchange import Exchange
from messaging.flow.seal import Sealer
from messaging.model.sight import EVERYTHING
from messaging.store import audit
from messaging.store.audit import Line
from world import SetClock


class Keeper:
    """Writes lines, seals them, and carries the seals to the anchors, when it is told to."""

    def __init__(self, exchange: Exchange, clock: SetClock) -> None:
        self.exchange, self.clock = exchange, clock
        self.sealer = Sealer(exchange)
        self.anchorings = [Anchoring(self.sealer, anchor) for anchor in exchange.anchors]

    async def write(self, count: int = 3) -> None:
        """Write lines, each with another number in it."""
        lines = (Line(self.clock(), "test.written", "test", detail={"n": n, "é": 0.5}) for n in range(count))
        async with self.exchange.database.write(EVERYTHING) as tx:
            await audit.write(tx, *lines)

    async def seal(self) -> None:
        """Seal all there is."""
        while await self.sealer.seal():
            pass
        for anchoring in self.anchorings:
            await anchoring.carry()

    async def write_and_seal(self, *counts: int) -> None:
        """Write so many lines and seal them, then so many more."""
        for count in counts:
            await self.write(count)
            self.clock.forward(seconds=1)
            await self.seal()

    async def lines(self, event: str) -> list[dict[str, Any]]:
        """Read the lines of one event."""
        async with self.exchange.database.read(EVERYTHING) as tx:
            return await audit.recent(tx, event=event)
