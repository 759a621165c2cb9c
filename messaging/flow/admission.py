"""Admission: what stands between knowing who calls and reading what they send, so that nobody crowds out the others."""

from __future__ import annotations

import hashlib
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from messaging.errors import TooManyRequests, Unauthenticated
from messaging.flow.room import Rooms
from messaging.model.credentials import Credentials
from messaging.model.party import Client
from messaging.model.rates import Rates

_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class AdmissionTerms:
    """The numbers; `settings.py` says what each is for. A rate of 0 sets no limit."""

    requests_per_second: float = 0
    requests_burst: int = 100
    failures_per_minute: float = 0
    memory_in_flight: int = 768 << 20
    turn_seconds: float = 20


class Admission:
    """The rates of this process and its room; `now` is a clock in seconds that never jumps."""

    def __init__(self, terms: AdmissionTerms, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._requests = Rates(terms.requests_per_second, terms.requests_burst)
        self._failures = Rates(terms.failures_per_minute / 60, max(1, int(terms.failures_per_minute)))
        self._welcome: OrderedDict[bytes, None] = OrderedDict()
        self._secret = secrets.token_bytes(16)
        self.rooms = Rooms(terms.memory_in_flight, terms.turn_seconds)

    def admit(self, client: Client) -> None:
        """Let a known client ask once more. Raises TooManyRequests."""
        wait = self._requests.take(client.id, self._now())
        if wait:
            raise TooManyRequests(
                "This client asks faster than its share; nothing of this request was kept. Slow down, and repeat it.",
                retry_after=math.ceil(wait),
            )

    @asynccontextmanager
    async def knocking(self, credentials: Credentials) -> AsyncIterator[None]:
        """Count whoever cannot say who calls, by address. Raises TooManyRequests when that was too often.

        What was let in from an address before is let in again, however many others fail there: a hospital's systems all
        have one address.
        """
        known = self._fingerprint(credentials)
        if known is None:
            yield
            return
        try:
            async with self._failing(credentials.source, welcome=known in self._welcome):
                yield
        except Unauthenticated:
            self._welcome.pop(known, None)
            raise
        self._welcome[known] = None
        self._welcome.move_to_end(known)
        if len(self._welcome) > _REMEMBERED:
            self._welcome.popitem(last=False)

    @asynccontextmanager
    async def typing(self, source: str, *, welcome: bool) -> AsyncIterator[None]:
        """Count wrong passphrases by address, apart from what systems send. Raises TooManyRequests.

        A browser that has signed in to the account before is welcome: it is counted by the account alone.
        """
        async with self._failing(("passphrase", source), welcome=welcome):
            yield

    @asynccontextmanager
    async def _failing(self, key: Hashable, *, welcome: bool) -> AsyncIterator[None]:
        wait = 0.0 if welcome else self._failures.wait(key, self._now())
        if wait:
            raise TooManyRequests(
                "Too many requests from this address could not say who calls. Wait before the next one.",
                retry_after=math.ceil(wait),
            )
        try:
            yield
        except Unauthenticated:
            self._failures.take(key, self._now())
            raise

    def _fingerprint(self, credentials: Credentials) -> bytes | None:
        """Know credentials and their address again without keeping them; None when there is nothing to guess at."""
        said = (*credentials.authorization, credentials.session or "")
        if not any(said):
            return None
        text = "\n".join((credentials.source, *said)).encode("utf-8", "replace")
        return hashlib.blake2b(text, key=self._secret, digest_size=16).digest()
