"""Accounts of people, for administrators."""

from __future__ import annotations

from fastapi import APIRouter

from messaging.api import problems
from messaging.api.door import Caller, Door, Here
from messaging.api.security import DOCUMENTED
from messaging.api.shapes_of_people import AccountName, AccountsTold, AccountTold, RoleWanted
from messaging.flow import accounts

router = APIRouter(prefix="/operations/accounts", route_class=Door, dependencies=[DOCUMENTED], tags=["people"])

_READING = problems.documented(problems.READING)
_CHANGING = problems.documented(problems.CHANGING)


@router.get("", responses=_READING)
async def list_accounts(exchange: Here, client: Caller) -> AccountsTold:
    """List all accounts, by name."""
    return AccountsTold(accounts=[_told(one) for one in await accounts.every(exchange, client)])


@router.get("/{name}", responses=_READING)
async def show_account(name: AccountName, exchange: Here, client: Caller) -> AccountTold:
    """Read one account."""
    return _told(await accounts.show(exchange, client, name))


@router.post("/{name}/disable", status_code=204, responses=_CHANGING)
async def disable_account(name: AccountName, exchange: Here, client: Caller) -> None:
    """Shut an account; the person is signed out everywhere."""
    await accounts.disable(exchange, client, name)


@router.post("/{name}/enable", status_code=204, responses=_CHANGING)
async def enable_account(name: AccountName, exchange: Here, client: Caller) -> None:
    """Open a shut account again."""
    await accounts.enable(exchange, client, name)


@router.post("/{name}/unlock", status_code=204, responses=_CHANGING)
async def unlock_account(name: AccountName, exchange: Here, client: Caller) -> None:
    """Let somebody try again at once who must wait after wrong passphrases."""
    await accounts.unlock(exchange, client, name)


@router.put("/{name}/role", status_code=204, responses=_CHANGING)
async def change_role(name: AccountName, asked: RoleWanted, exchange: Here, client: Caller) -> None:
    """Change what an account may do; the person is signed out everywhere."""
    await accounts.change_role(exchange, client, name, asked.role, frozenset(asked.her_ids))


def _told(standing: accounts.Standing) -> AccountTold:
    one = standing.account
    return AccountTold(
        name=one.name,
        display_name=one.display_name,
        role=one.role,
        her_ids=sorted(one.her_ids),
        issuer=one.issuer,
        created_at=one.created_at,
        disabled_at=one.disabled_at,
        locked_until=standing.locked_until,
        password_changed_at=one.password_changed_at,
        signed_in_at=one.signed_in_at,
    )
