"""The far side of each adapter kind, so that one suite can run over all of them.

A package with a kind of its own adds a far side for it here, and its name to KINDS in test_conformance.py.
"""

from __future__ import annotations

import asyncio
import itertools
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from http_receiver import Receiver, answer, receiving

from adapters import file_drop, http_post, memory
from messaging.spi import Accepted, Adapter, AdapterKind, Parcel, Reach, Refused, Submission, Verdict

HERE = Reach.to("127.0.0.0/8", "::1/128")
"""The tests' far sides are on this machine."""
SECRET = "whsec_" + "c2FtaGFuZGxpbmctdGVzdC1zZWNyZXQtMDE="
DOCUMENT = '<?xml version="1.0" encoding="ISO-8859-1"?>\n<Melding>Blåbærsyltetøy\r\n</Melding> \n'.encode("iso-8859-1")
CANARY = "Blåbærsyltetøy"


def parcel(number: int = 1, *, content: bytes = DOCUMENT, **changes: Any) -> Parcel:
    given = {
        "delivery_id": f"00000000-0000-4000-8000-{number:012}",
        "message_id": f"11111111-0000-4000-8000-{number:012}",
        "msg_id": f"msg-{number}",
        "sender_her_id": 8000001,
        "receiver_her_id": 8000002,
        "type": "DIALOG_UTSKRIVNINGSRAPPORT",
        "content": content,
        "attempt": 1,
    }
    return Parcel(**(given | changes))


PATIENCE = 10.0
"""Seconds until a test gives up on what should come at once."""


class FarSide(ABC):
    """What a kind needs around it to be tried: its settings, and the far side's eyes and hands."""

    kind: AdapterKind
    takes_in = False
    adapter: Any = None

    @abstractmethod
    def settings(self) -> dict[str, Any]: ...

    @abstractmethod
    def received(self) -> list[bytes]:
        """Every document that stands at the far side, a repeated one once or more often."""

    @abstractmethod
    def refuse(self) -> None:
        """Make the far side unwilling for the next parcel, quoting the document back if it can."""

    async def offer(self, content: bytes) -> None:
        """Hand a document in from the far side, if the kind takes documents in."""
        raise NotImplementedError

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Adapter]:
        async with self.kind.open("far-side", self.kind.settings(**self.settings()), HERE) as self.adapter:
            yield self.adapter


class MemoryFarSide(FarSide):
    kind = memory.KIND
    takes_in = True

    def settings(self) -> dict[str, Any]:
        return {}

    def received(self) -> list[bytes]:
        return [parcel.content for parcel in self.adapter.delivered]

    def refuse(self) -> None:
        self.adapter.outcomes.append(Refused("not wanted"))

    async def offer(self, content: bytes) -> None:
        await self.adapter.feed(content)


class HttpFarSide(FarSide):
    kind = http_post.KIND

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def settings(self) -> dict[str, Any]:
        return {"url": self.receiver.url, "secret": SECRET}

    def received(self) -> list[bytes]:
        return [request.body for request in self.receiver.requests]

    def refuse(self) -> None:
        self.receiver.answers.append(answer(422, DOCUMENT, Content_Type="application/xml"))


class FileFarSide(FarSide):
    kind = file_drop.KIND
    takes_in = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = itertools.count()

    def settings(self) -> dict[str, Any]:
        return {"folder": self.folder, "scan_seconds": 0.05, "quiet_seconds": 0}

    def received(self) -> list[bytes]:
        return [path.read_bytes() for path in (self.folder / "out").iterdir()]

    def refuse(self) -> None:
        for path in (self.folder / "out").iterdir():
            path.unlink()
        (self.folder / "out").rmdir()

    async def offer(self, content: bytes) -> None:
        unfinished = self.folder / "in" / f"{next(self.numbers)}.xml.part"
        unfinished.write_bytes(content)
        unfinished.rename(unfinished.with_suffix(""))


@asynccontextmanager
async def far_side_of(kind: str, folder: Path) -> AsyncIterator[FarSide]:
    match kind:
        case "memory":
            yield MemoryFarSide()
        case "file_drop":
            yield FileFarSide(folder)
        case _:
            async with receiving() as receiver:
                yield HttpFarSide(receiver)


class Exchange:
    """The exchange's side of `submit`: answers in turn, then accepts; remembers what was submitted."""

    def __init__(self, *verdicts: Verdict | Exception) -> None:
        self.verdicts = list(verdicts)
        self.submitted: list[Submission] = []
        self.arrived: asyncio.Queue[Submission] = asyncio.Queue()

    async def submit(self, submission: Submission) -> Verdict:
        self.submitted.append(submission)
        self.arrived.put_nowait(submission)
        verdict = self.verdicts.pop(0) if self.verdicts else Accepted(f"id-{len(self.submitted)}")
        if isinstance(verdict, Exception):
            raise verdict
        return verdict

    async def next(self) -> Submission:
        return await asyncio.wait_for(self.arrived.get(), PATIENCE)


@asynccontextmanager
async def listening(adapter: Any, exchange: Exchange) -> AsyncIterator[None]:
    """Listen for as long as the context lasts; what ends the listening early is raised."""
    task = asyncio.create_task(adapter.listen(exchange.submit))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
