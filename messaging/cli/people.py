"""Accounts of people who sign in: operators, auditors, administrators, and those who look at their own organisation."""

from __future__ import annotations

import getpass
import secrets
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

import typer

from messaging.cli.terminal import AsFormat, Format, at_the_keyboard, print_json, print_table, with_exchange
from messaging.errors import InvalidRequest
from messaging.flow import accounts as flow
from messaging.flow import signed_in
from messaging.flow.exchange import Exchange
from messaging.model.access import Role
from messaging.model.account import Account
from messaging.model.party import Client

accounts = typer.Typer(help="People who sign in, and in which role.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The account's name, as the person types it.")]
Generated = Annotated[bool, typer.Option("--generate", help="Make a passphrase and print it, this once.")]
HerIds = Annotated[list[int] | None, typer.Option("--her-id", help="A HER-id the person looks at; repeat it.")]
InRole = Annotated[Role, typer.Option(help="What the person may do.")]

_GENERATED_BYTES = 15


@accounts.command("add")
def add_account(
    name: Name,
    role: InRole,
    *,
    display_name: Annotated[str | None, typer.Option(help="What the person is called; else the name.")] = None,
    her_id: HerIds = None,
    generate: Generated = False,
) -> None:
    """Add an account; the passphrase is asked for, or read from standard input, and never an argument."""
    account = Account(name, display_name or name, role, frozenset(her_id or ()))
    passphrase = _passphrase(generate=generate)
    with_exchange(lambda exchange: flow.add(exchange, at_the_keyboard(), account, passphrase=passphrase))
    _told(passphrase, generate=generate)


@accounts.command("password")
def set_passphrase(name: Name, *, generate: Generated = False) -> None:
    """Give an account a new passphrase; the person is signed out everywhere."""
    passphrase = _passphrase(generate=generate)
    with_exchange(lambda exchange: flow.set_passphrase(exchange, at_the_keyboard(), name, passphrase))
    _told(passphrase, generate=generate)


def _passphrase(*, generate: bool) -> str:
    if generate:
        return secrets.token_urlsafe(_GENERATED_BYTES)
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    typed = getpass.getpass("Passphrase (at least 12 characters): ")
    if getpass.getpass("Once more: ") != typed:
        raise InvalidRequest("The two are not the same; nothing was changed.")
    return typed


def _told(passphrase: str, *, generate: bool) -> None:
    typer.echo(passphrase if generate else "Done.")


@accounts.command("role")
def change_role(name: Name, role: Annotated[Role, typer.Argument()], her_id: HerIds = None) -> None:
    """Change what an account may do; the person is signed out everywhere."""
    _act(partial(flow.change_role, name=name, role=role, her_ids=frozenset(her_id or ())))


@accounts.command("disable")
def disable(name: Name) -> None:
    """Shut an account; the person is signed out everywhere, and the name stays taken."""
    _act(partial(flow.disable, name=name))


@accounts.command("enable")
def enable(name: Name) -> None:
    """Open a shut account again."""
    _act(partial(flow.enable, name=name))


@accounts.command("unlock")
def unlock(name: Name) -> None:
    """Let somebody try again at once who must wait after wrong passphrases."""
    _act(partial(flow.unlock, name=name))


def _act(verb: Callable[[Exchange, Client], Awaitable[None]]) -> None:
    with_exchange(lambda exchange: verb(exchange, at_the_keyboard()))
    typer.echo("Done.")


@accounts.command("list")
def list_accounts(form: AsFormat = Format.TEXT) -> None:
    """List the accounts."""
    rows = [_row(one) for one in with_exchange(lambda exchange: flow.every(exchange, at_the_keyboard()))]
    if form is Format.JSON:
        print_json(rows)
    else:
        heads = ["Account", "Name", "Role", "HER-ids", "Vouched for by", "Disabled", "Locked until", "Last signed in"]
        print_table(heads, [[_cell(value) for name, value in row.items() if name not in _DETAILS] for row in rows])


@accounts.command("show")
def show_account(name: Name, form: AsFormat = Format.TEXT) -> None:
    """Show one account, and where it is signed in."""

    async def act(exchange: Exchange) -> dict[str, Any]:
        standing = await flow.show(exchange, at_the_keyboard(), name)
        begun = await signed_in.of_account(exchange, at_the_keyboard(), name)
        shown = ("id", "way", "address", "began_at", "seen_at", "ends_at")
        return {**_row(standing), "sign_ins": [{key: getattr(one, key) for key in shown} for one in begun]}

    row = with_exchange(act)
    if form is Format.JSON:
        print_json(row)
        return
    print_table(
        ["Account", name], [[key, _cell(value)] for key, value in row.items() if key not in ("sign_ins", "name")]
    )
    if row["sign_ins"]:
        print_table(["Sign-in", "By", "From", "Began", "Seen", "Ends"], [list(one.values()) for one in row["sign_ins"]])


_DETAILS = ("created_at", "password_changed_at")


def _row(standing: flow.Standing) -> dict[str, Any]:
    one = standing.account
    return {
        "name": one.name,
        "display_name": one.display_name,
        "role": one.role.value,
        "her_ids": sorted(one.her_ids),
        "issuer": one.issuer,
        "disabled_at": one.disabled_at,
        "locked_until": standing.locked_until,
        "signed_in_at": one.signed_in_at,
        "created_at": one.created_at,
        "password_changed_at": one.password_changed_at,
    }


def _cell(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value
