"""The one place that hashes people's passphrases: Argon2id (RFC 9106), in a thread, a few at once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from messaging.errors import Unavailable

Result = TypeVar("Result")

_AT_ONCE = 2
"""Each takes 64 MiB and the better part of a core."""
_MOST_WAITING = 20


class Passwords:
    """Hashes passphrases and checks them; who comes when many wait is asked to come back."""

    def __init__(self, hasher: PasswordHasher | None = None, *, at_once: int = _AT_ONCE) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = asyncio.Semaphore(at_once)
        self._waiting = 0

    async def hash(self, passphrase: str) -> str:
        """Hash a passphrase for keeping. Raises Unavailable when too many wait."""
        return await self._in_turn(lambda: self._hasher.hash(passphrase))

    async def matches(self, kept: str | None, passphrase: str) -> bool:
        """Tell whether this passphrase was hashed; without a hash to look at it takes as long, and is False."""

        def check() -> bool:
            nobodys = self._nobodys
            try:
                self._hasher.verify(kept or nobodys, passphrase)
            except (VerificationError, InvalidHashError):
                return False
            return kept is not None

        return await self._in_turn(check)

    def is_outdated(self, kept: str) -> bool:
        """Tell whether a hash was made with other costs than those in use now."""
        return self._hasher.check_needs_rehash(kept)

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash(secrets.token_urlsafe())

    async def _in_turn(self, work: Callable[[], Result]) -> Result:
        async with self._turn():
            return await asyncio.to_thread(work)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._waiting >= _MOST_WAITING:
            raise Unavailable("Many are signing in just now; try again in a moment.")
        self._waiting += 1
        try:
            async with self._turns:
                yield
        finally:
            self._waiting -= 1
