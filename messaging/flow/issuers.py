"""Issuers of access tokens: their metadata and keys, fetched when they are needed and kept for a while."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from joserfc.jwk import Key, KeySet

from messaging import discovery
from messaging.errors import Unavailable
from messaging.flow import jose
from messaging.logs import logger_of
from messaging.model.issuer import IssuerTerms
from messaging.model.log import LogEvent
from messaging.reach import Reach

logger = logger_of(__name__)

FRESH_FOR = timedelta(minutes=10)
USED_FOR = timedelta(hours=24)
"""So long keys are used when the issuer cannot be asked; then its tokens are no longer taken."""

ASKED_EVERY = timedelta(seconds=10)
"""An unknown key id makes us ask again, but not more often than this: callers choose the key id."""

_PATIENCE_SECONDS = 5.0
_KINDS = ("RSA", "EC")


class Issuer:
    """One issuer and its keys, as they are known now."""

    def __init__(self, terms: IssuerTerms, reach: Reach) -> None:
        self.terms = terms
        self._reach = reach
        self._keys: dict[str, Key] = {}
        self._fetched_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._asking: asyncio.Task[None] | None = None

    async def key(self, kid: str, now: datetime) -> Key | None:
        """Find a key of the issuer's, or None. Raises Unavailable when none of its keys is known."""
        usable = self._fetched_at is not None and now - self._fetched_at < USED_FOR
        if not (usable and self._is_fresh(now) and kid in self._keys):
            asking = self._ask(now)
            if asking is not None and not (usable and kid in self._keys):
                await asyncio.wait({asking})
        if self._fetched_at is None or now - self._fetched_at >= USED_FOR:
            raise Unavailable("The issuer of the access token does not answer; repeat the same request in a moment.")
        return self._keys.get(kid)

    def _is_fresh(self, now: datetime) -> bool:
        return self._fetched_at is not None and now - self._fetched_at < FRESH_FOR

    def _ask(self, now: datetime) -> asyncio.Task[None] | None:
        """Ask for the keys beside the request, once at a time and not too often."""
        if self._asking is None and (self._asked_at is None or now - self._asked_at >= ASKED_EVERY):
            self._asked_at = now
            self._asking = asyncio.create_task(self._fetch(now), name="issuer's keys")
            self._asking.add_done_callback(self._asked)
        return self._asking

    def _asked(self, _task: asyncio.Task[None]) -> None:
        self._asking = None

    async def _fetch(self, now: datetime) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                address, issuer = self.terms.metadata_url, self.terms.url
                metadata = await discovery.metadata_of(self._reach, address, issuer, patience=_PATIENCE_SECONDS)
                told = await discovery.told_at(self._reach, metadata["jwks_uri"], patience=_PATIENCE_SECONDS)
                self._keys = _usable(told)
                self._fetched_at = now
        except (*jose.UNREADABLE, *discovery.UNTOLD, TimeoutError) as error:
            logger.warning(
                LogEvent.ISSUER_NOT_ASKED, part=urlsplit(self.terms.url).hostname, error=type(error).__name__
            )

    async def close(self) -> None:
        """Ask no longer."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})


def _usable(told: dict[str, Any]) -> dict[str, Key]:
    """Take the keys that can verify, by their ids; one without is never named by a token."""
    named = [one for one in discovery.signing_keys(told, _KINDS) if isinstance(one.get("kid"), str)]
    return {str(key.kid): key for key in KeySet.import_key_set({"keys": named})} if named else {}
