"""Runs `samhandling` with parts that fail on marked documents: `python poisoned.py serve`.

The validator raises, the adapter raises, or the adapter answers only after the lease: by how a MsgId begins.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Any
from uuid import uuid4

from adapters.http_post import HttpPost
from messaging import cli
from messaging.documents import Validator

LATE = 30.0


class Poison(StrEnum):
    """What a document does to whom."""

    VALIDATOR_RAISES = "0bad0001"
    ADAPTER_RAISES = "0bad0002"
    ADAPTER_HANGS = "0bad0003"

    def msg_id(self) -> str:
        """Make a MsgId that does it."""
        return f"{self.value}{str(uuid4())[8:]}"


def poison() -> None:
    """Put the failing parts in."""
    judge, deliver = Validator.judge, HttpPost.deliver

    def judged(self: Validator, content: bytes, **given: Any) -> Any:
        if f">{Poison.VALIDATOR_RAISES}".encode() in content:
            raise RuntimeError("poisoned")
        return judge(self, content, **given)

    async def delivered(self: HttpPost, parcel: Any) -> Any:
        if parcel.msg_id.startswith(Poison.ADAPTER_RAISES):
            raise RuntimeError("poisoned")
        if parcel.msg_id.startswith(Poison.ADAPTER_HANGS):
            await asyncio.sleep(LATE)
        return await deliver(self, parcel)

    Validator.judge = judged  # type: ignore[method-assign]
    HttpPost.deliver = delivered  # type: ignore[method-assign]


if __name__ == "__main__":
    poison()
    cli.main()
