"""The JSON about people: who is calling, where they are signed in, and their accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from messaging.api.shapes import Asked, HerIdInBody, Told
from messaging.model.access import Action, Role
from messaging.model.account import NAME

AccountName = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$")]
"""The name of an account, in a path or a query."""

_MOST_HER_IDS = 1000
_LINE = r"^[^\x00-\x1f\x7f\ufffe\uffff]*$"
"""One line of text: a passphrase that cannot be typed is refused."""


class SignInTold(Told):
    """One browser in which a person has signed in."""

    id: UUID
    account: str
    way: str
    address: str
    began_at: datetime
    seen_at: datetime
    ends_at: datetime
    this_one: bool = Field(False, description="Whether the request itself came by it")


class SignInsTold(Told):
    """Where a person is signed in, newest first."""

    sign_ins: list[SignInTold]


class SessionTold(Told):
    """Who is calling, and what the caller may do."""

    id: str
    name: str
    role: Role
    her_ids: list[int]
    actions: list[Action]
    sign_in: SignInTold | None = Field(None, description="Null for a caller that did not sign in, such as a key")
    until: datetime | None = Field(None, description="When the sign-in ends if nothing more is heard")
    csrf_token: str | None = Field(None, description="What X-CSRF-Token must hold in requests that change something")


class PassphraseChange(Asked):
    """A new passphrase, and the one that it takes the place of."""

    current: Annotated[str, StringConstraints(pattern=_LINE, min_length=1, max_length=1000)]
    wanted: Annotated[str, StringConstraints(pattern=_LINE, min_length=1, max_length=1000)]


class AccountTold(Told):
    """One account; `lockedUntil` is for browsers that never signed in to it."""

    name: str
    display_name: str
    role: Role
    her_ids: list[int]
    issuer: str | None
    created_at: datetime | None
    disabled_at: datetime | None
    locked_until: datetime | None
    password_changed_at: datetime | None
    signed_in_at: datetime | None


class AccountsTold(Told):
    """All accounts, by name."""

    accounts: list[AccountTold]


class RoleWanted(Asked):
    """What an account may do from now on; `herIds` for those who look at a party's messages, and for nobody else."""

    role: Role
    her_ids: Annotated[list[HerIdInBody], Field(default_factory=list, max_length=_MOST_HER_IDS)]
