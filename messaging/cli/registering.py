"""Registering who takes part: parties from the address register."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from messaging.cli.terminal import AsFormat, Format, at_the_keyboard, print_json, print_table, with_exchange
from messaging.errors import InvalidRequest
from messaging.flow import clients as flow
from messaging.flow import inspect
from messaging.flow.exchange import Exchange
from messaging.model.party import Party, PartyKind

parties = typer.Typer(help="The parties of the address register that this exchange serves.", no_args_is_help=True)


@parties.command("import")
def import_parties(
    file: Annotated[Path, typer.Argument(help="TOML with a [[party]] table each: her_id, name, parent_her_id, …")],
) -> None:
    """Add parties, or bring what is known of them up to date."""
    listed = _read_parties(file)

    async def act(exchange: Exchange) -> None:
        await flow.register_parties(exchange, listed, actor=at_the_keyboard().id)

    with_exchange(act)
    typer.echo(f"{len(listed)} parties are registered.")


def _read_parties(file: Path) -> list[Party]:
    try:
        rows = tomllib.loads(file.read_text(encoding="utf-8")).get("party", [])
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be read: {error.strerror}.") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidRequest(f"{file} is not TOML: {error}.") from None
    if not rows:
        raise InvalidRequest(f"{file} holds no [[party]] table.")
    return [_read_party(row, number) for number, row in enumerate(rows, 1)]


def _read_party(row: dict[str, Any], number: int) -> Party:
    try:
        party = Party(**{**row, "kind": PartyKind(row.get("kind", "service"))})
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"[[party]] number {number} cannot be used: {error}.") from None
    if not str(party.her_id).isdecimal() or int(party.her_id) < 1:
        raise InvalidRequest(f"[[party]] number {number}: her_id must be a whole number above 0.")
    return party


@parties.command("list")
def list_parties(form: AsFormat = Format.TEXT) -> None:
    """List the parties."""

    async def act(exchange: Exchange) -> list[Party]:
        return await inspect.every_party(exchange, at_the_keyboard())

    found = with_exchange(act)
    columns = ["her_id", "parent_her_id", "name", "kind", "service_type", "route"]
    rows = [[getattr(party, column) for column in columns] for party in found]
    if form is Format.JSON:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(["HER-id", "Level 1", "Name", "Kind", "Service", "Route"], rows)
