"""Who may call: clients, what they may act for, and by which keys, certificates and tokens they are known."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from messaging.cli.terminal import AsFormat, Format, at_the_keyboard, print_json, print_table, with_exchange
from messaging.errors import InvalidRequest
from messaging.flow import certificates as flow_certificates
from messaging.flow import clients as flow
from messaging.flow import inspect, token_holders
from messaging.flow import keys as flow_keys
from messaging.flow.exchange import Exchange
from messaging.flow.keys import Limits
from messaging.model.access import Action, Role
from messaging.model.party import Client
from messaging.store.bindings import TokenHolder

clients = typer.Typer(help="Who may call, and for which HER-ids.", no_args_is_help=True)
key = typer.Typer(help="The API keys of a client: two at most, so that it can change from one to the other.")
certificate = typer.Typer(help="The certificates that speak for a client, behind a proxy that asks for them.")
oauth = typer.Typer(help="Whose access tokens speak for a client, such as those of HelseID.")
clients.add_typer(key, name="key", no_args_is_help=True)
clients.add_typer(certificate, name="certificate", no_args_is_help=True)
clients.add_typer(oauth, name="oauth", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The client's name.")]
HerIds = Annotated[list[int], typer.Argument(help="HER-ids.")]
Issuer = Annotated[str, typer.Option(help="The issuer, exactly as its tokens and the settings name it.")]
TokenClient = Annotated[str, typer.Option("--client-id", help="The client as the issuer knows it.")]
Parent = Annotated[str, typer.Option(help="The organisation number of the main unit (orgnr_parent).")]
Child = Annotated[str, typer.Option(help="The organisation number of the sub-unit (orgnr_child).")]


@clients.command("add")
def add_client(
    name: Annotated[str, typer.Argument(help="The client's name, which is its id too.")],
    her_id: Annotated[list[int] | None, typer.Option("--her-id", help="A HER-id it may act for; repeat it.")] = None,
    *,
    operator: Annotated[bool, typer.Option("--operator", help="Watch over the exchange instead.")] = False,
    role: Annotated[Role | None, typer.Option(help="Watch over the exchange in this role.")] = None,
    no_key: Annotated[bool, typer.Option("--no-key", help="It calls by certificate or token: make no key.")] = False,
) -> None:
    """Add a client, or change what it may act for, and print a new key: it is told this once."""
    taken = role or (Role.OPERATOR if operator else Role.PARTY)
    if (taken is Role.PARTY) != bool(her_id):
        raise InvalidRequest("Name the client's HER-ids with --her-id, or make it an --operator or another --role.")
    client = Client(id=name, name=name, role=taken, her_ids=frozenset(her_id or ()))

    async def act(exchange: Exchange) -> str:
        if no_key:
            await flow.save_client(exchange, client, actor=at_the_keyboard().id)
            return f"{name} is registered, and has no new key."
        return await flow.register_client(exchange, client, actor=at_the_keyboard().id)

    typer.echo(with_exchange(act))


@clients.command("list")
def list_clients(form: AsFormat = Format.TEXT) -> None:
    """List the clients and what they may act for."""

    async def act(exchange: Exchange) -> list[Client]:
        return await inspect.every_client(exchange, at_the_keyboard())

    rows = [[c.id, c.role.value, ", ".join(map(str, sorted(c.her_ids)))] for c in with_exchange(act)]
    if form is Format.JSON:
        print_json([dict(zip(["id", "role", "her_ids"], row, strict=True)) for row in rows])
    else:
        print_table(["Client", "Role", "HER-ids"], rows)


@clients.command("show")
def show_client(name: Name, form: AsFormat = Format.TEXT) -> None:
    """Show all that is known of a client; never a key's secret, which nobody knows."""

    async def act(exchange: Exchange) -> flow.Known:
        return await flow.show(exchange, at_the_keyboard(), name)

    known = with_exchange(act)
    told = _told(known)
    if form is Format.JSON:
        print_json(told)
        return
    print_table(
        ["Client", "Role", "HER-ids", "Locked to it"],
        [[name, told["role"], _list(told["her_ids"]), _list(told["locked"])]],
    )
    print_table(
        ["Key", "Made", "Expires", "Revoked", "Scopes", "From", "Last used"],
        [
            [
                k.id,
                k.created_at,
                k.expires_at,
                k.revoked_at,
                _list(sorted(k.client.limited_to or ())),
                _list(k.networks),
                k.last_used_at,
            ]
            for k in known.keys
        ],
    )
    print_table(["Certificate", "Subject", "Expires"], [[c.spki, c.subject, c.not_after] for c in known.certificates])
    print_table(
        ["Issuer", "Its client", "Parent", "Child"],
        [[one.issuer, one.token_client, one.parent, one.child] for one in known.tokens],
    )


def _list(values: object) -> str:
    return ", ".join(map(str, values)) if isinstance(values, list | tuple) else str(values)


def _told(known: flow.Known) -> dict[str, object]:
    return {
        "id": known.client.id,
        "role": known.client.role.value,
        "her_ids": sorted(known.client.her_ids),
        "locked": known.locked,
        "keys": [
            {
                "id": k.id,
                "created_at": k.created_at,
                "expires_at": k.expires_at,
                "revoked_at": k.revoked_at,
                "scopes": sorted(k.client.limited_to) if k.client.limited_to is not None else None,
                "networks": k.networks,
                "last_used_at": k.last_used_at,
            }
            for k in known.keys
        ],
        "certificates": [
            {"spki": c.spki.hex(), "subject": c.subject, "not_after": c.not_after} for c in known.certificates
        ],
        "oauth": [
            {"issuer": o.issuer, "client_id": o.token_client, "parent": o.parent, "child": o.child}
            for o in known.tokens
        ],
    }


def _do(act: Callable[[Exchange], Awaitable[object]], told: str) -> None:
    with_exchange(act)
    typer.echo(told)


@clients.command("grant")
def grant(name: Name, her_ids: HerIds) -> None:
    """Let a client act for more HER-ids."""
    _do(
        lambda exchange: flow.grant(exchange, at_the_keyboard(), name, her_ids), f"{name} may act for {_list(her_ids)}."
    )


@clients.command("ungrant")
def ungrant(name: Name, her_ids: HerIds) -> None:
    """Let a client act for fewer HER-ids."""
    _do(
        lambda exchange: flow.ungrant(exchange, at_the_keyboard(), name, her_ids),
        f"{name} may no longer act for {_list(her_ids)}.",
    )


@clients.command("lock")
def lock(name: Name, her_ids: HerIds) -> None:
    """Reserve HER-ids for one client: others may only read."""
    _do(
        lambda exchange: flow.lock(exchange, at_the_keyboard(), name, her_ids),
        f"{_list(her_ids)} is reserved for {name}.",
    )


@clients.command("unlock")
def unlock(her_ids: HerIds) -> None:
    """Release HER-ids, whichever client they are reserved for."""
    _do(lambda exchange: flow.unlock(exchange, at_the_keyboard(), her_ids), f"{_list(her_ids)} is released.")


@clients.command("revoke")
def revoke_client(name: Annotated[str, typer.Argument(help="The client whose ways in are closed now.")]) -> None:
    """Close every way in that a client has: keys, certificates, tokens."""

    async def act(exchange: Exchange) -> flow.Revoked:
        return await flow.revoke(exchange, at_the_keyboard(), name)

    done = with_exchange(act)
    typer.echo(
        f"{done.keys} keys of {name} are revoked, {done.certificates} certificates and {done.tokens} token "
        "holders removed."
    )


@key.command("add")
def add_key(
    name: Name,
    *,
    days: Annotated[float | None, typer.Option(min=0, help="It expires after so many days.")] = None,
    scope: Annotated[list[Action] | None, typer.Option(help="What it may be used for; repeat it. None: all.")] = None,
    network: Annotated[
        list[str] | None, typer.Option("--from", help="A network or address it may be used from; repeat it.")
    ] = None,
) -> None:
    """Give a client one more key and print it: it is told this once."""

    async def act(exchange: Exchange) -> str:
        limits = Limits(
            expires_at=exchange.clock() + timedelta(days=days) if days is not None else None,
            scopes=frozenset(scope) if scope else None,
            networks=tuple(network or ()),
        )
        return await flow_keys.add(exchange, at_the_keyboard(), name, limits)

    typer.echo(with_exchange(act))


@key.command("revoke")
def revoke_key(
    name: Name,
    key_ids: Annotated[list[str] | None, typer.Argument(help="The public halves, before the dot.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every key that the client has.")] = False,
) -> None:
    """Revoke one key of a client, or all."""
    if every == bool(key_ids):
        raise InvalidRequest("Name the keys to revoke, or say --all.")

    async def act(exchange: Exchange) -> int:
        return await flow_keys.revoke(exchange, at_the_keyboard(), name, key_ids or [])

    typer.echo(f"{with_exchange(act)} keys of {name} are revoked.")


@certificate.command("add")
def add_certificate(name: Name, file: Annotated[Path, typer.Argument(help="The certificate in PEM.")]) -> None:
    """Let a certificate speak for a client, and every later one with the same key."""
    try:
        text = file.read_text(encoding="ascii")
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InvalidRequest(f"{file} holds no certificate in PEM (-----BEGIN CERTIFICATE-----).") from None

    async def act(exchange: Exchange) -> str:
        return (await flow_certificates.add(exchange, at_the_keyboard(), name, text)).spki.hex()

    typer.echo(with_exchange(act))


@certificate.command("remove")
def remove_certificate(
    name: Name, spki: Annotated[str, typer.Argument(help="The hash that `add` printed, or its beginning.")]
) -> None:
    """Take a certificate from a client."""
    _do(
        lambda exchange: flow_certificates.remove(exchange, at_the_keyboard(), name, spki.lower()),
        f"The certificate no longer speaks for {name}.",
    )


@oauth.command("add")
def add_tokens(name: Name, issuer: Issuer, client_id: TokenClient, parent: Parent = "", child: Child = "") -> None:
    """Let the tokens that an issuer gives to one of its clients, for one organisation, speak for a client of ours."""
    holder = TokenHolder(issuer, client_id, parent, child)
    _do(
        lambda exchange: token_holders.add(exchange, at_the_keyboard(), name, holder),
        f"The tokens of {client_id} speak for {name}.",
    )


@oauth.command("remove")
def remove_tokens(name: Name, issuer: Issuer, client_id: TokenClient, parent: Parent = "", child: Child = "") -> None:
    """Let such tokens no longer speak for a client."""
    holder = TokenHolder(issuer, client_id, parent, child)
    _do(
        lambda exchange: token_holders.remove(exchange, at_the_keyboard(), name, holder),
        f"The tokens of {client_id} no longer speak for {name}.",
    )
