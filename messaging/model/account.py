"""A person who signs in: what an account is, what a person may do with it, and how long a guesser is kept waiting."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from messaging.model.access import Action, Role
from messaging.model.party import Client

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
"""What an account may be called; with `person:` before it, it still fits where a client's id does."""

_PERSON = "person:"
_FREE_TRIES = 5
_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(minutes=15)
_LOOKS = frozenset({Action.READ})


@dataclass(frozen=True, slots=True)
class Account:
    """A person's account: of our own, with a passphrase, or one that an identity provider (`issuer`) vouches for.

    People of a party (`Role.PARTY`) look at the messages of their `her_ids`, and do nothing in its name.
    """

    name: str
    display_name: str
    role: Role
    her_ids: frozenset[int] = field(default_factory=frozenset)
    issuer: str | None = None
    created_at: datetime | None = None
    disabled_at: datetime | None = None
    password_changed_at: datetime | None = None
    signed_in_at: datetime | None = None

    @property
    def actor(self) -> Client:
        """The person as a caller."""
        limits = _LOOKS if self.role is Role.PARTY else None
        return Client(f"{_PERSON}{self.name}", self.display_name, self.role, self.her_ids, limits)


def account_of(actor: Client) -> str | None:
    """Name the account of a caller who is a person; None of a system."""
    return actor.id.removeprefix(_PERSON) if actor.id.startswith(_PERSON) else None


def pause_after(failures: int) -> timedelta | None:
    """Say how long a browser waits after so many failures in a row: five are free, then it doubles up to 15 minutes.

    About a hundred guesses a day are left (NIST SP 800-63B, 3.2.2).
    """
    if failures < _FREE_TRIES:
        return None
    doubled: timedelta = _FIRST_PAUSE * 2 ** min(failures - _FREE_TRIES, 10)
    return min(doubled, _LONGEST_PAUSE)
