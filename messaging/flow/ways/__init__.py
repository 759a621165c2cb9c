"""The ways in: each tells who calls by one kind of credentials."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from messaging.flow.exchange import Exchange
from messaging.model.credentials import Credentials
from messaging.model.party import Client


@dataclass(frozen=True, slots=True)
class Way:
    """One way to say who calls.

    `carried` tells whether a request has come this way, well or badly; `caller` tells who it is, or raises
    Unauthenticated; `challenges` are what WWW-Authenticate says of it, and none when this way is not on.
    """

    name: str
    carried: Callable[[Exchange, Credentials], bool]
    caller: Callable[[Exchange, Credentials], Awaitable[Client]]
    challenges: Callable[[Exchange], tuple[str, ...]]
