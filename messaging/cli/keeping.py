"""The keys of documents, from the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from messaging.cli.terminal import AsFormat, Format, at_the_keyboard, print_json, print_table, with_exchange
from messaging.errors import InvalidRequest
from messaging.flow import renew
from messaging.flow.exchange import Exchange
from messaging.flow.renew import Renewed
from messaging.private_files import make_secret

keys = typer.Typer(help="The keys that documents are encrypted with.", no_args_is_help=True)


@keys.command("make")
def make_key(file: Annotated[Path, typer.Argument(help="The file to make; it must not be there yet.")]) -> None:
    """Make a new master key in a file; name it first in encryption_keys, restart, then `keys rotate`."""
    try:
        make_secret(file, "The file")
    except FileExistsError:
        raise InvalidRequest("The file is there already; a key is never written over.") from None
    typer.echo(f"Made. Back it up, apart from the database: {file}")


@keys.command("show")
def show_keys(form: AsFormat = Format.TEXT) -> None:
    """Show which keys there are, what wraps them, and how many documents need them."""

    async def act(exchange: Exchange) -> dict[str, Any]:
        actor = at_the_keyboard()
        return {
            "masters": exchange.vault.master_ids,
            "keys": await renew.keys(exchange, actor),
            "unencrypted": await renew.unencrypted(exchange, actor),
            "unencrypted_opens": exchange.vault.opens_unencrypted,
        }

    found = with_exchange(act)
    if form is Format.JSON:
        print_json(found)
        return
    used = {key["master"] for key in found["keys"]}
    print_table(
        ["Master key", "Used", "For what is new"],
        [[one, one in used, number == 0] for number, one in enumerate(found["masters"])],
    )
    columns = ("id", "purpose", "master", "created_at", "documents", "current")
    print_table(
        ["Key", "For", "Master key", "Made", "Documents", "Current"],
        [[key[column] for column in columns] for key in found["keys"]],
    )
    if found["unencrypted"] and found["unencrypted_opens"]:
        typer.echo(f"{found['unencrypted']} documents lie unencrypted; `samhandling keys rewrap` encrypts them.")
    elif found["unencrypted"]:
        _tell_what_is_refused(found["unencrypted"])


@keys.command("rotate")
def rotate_keys() -> None:
    """Make a new encryption key under the first master key, and wrap every document's key with it."""

    async def act(exchange: Exchange) -> Renewed:
        await renew.rotate(exchange, at_the_keyboard())
        return await renew.rewrap(exchange, at_the_keyboard())

    _tell(with_exchange(act))


@keys.command("rewrap")
def rewrap_keys(
    *,
    from_before: Annotated[
        bool,
        typer.Option(
            "--from-before", help="You vouch that whatever lies unencrypted is from before there was encryption."
        ),
    ] = False,
) -> None:
    """Go on where `keys rotate` was interrupted; encrypts, too, what was kept before there was encryption.

    From then on a document that lies unencrypted is never opened: somebody else has put it there.
    """

    async def act(exchange: Exchange) -> Renewed:
        return await renew.rewrap(exchange, at_the_keyboard(), from_before=from_before)

    _tell(with_exchange(act))


@keys.command("check")
def check_keys() -> None:
    """Open the key of every document; exit code 1 when one does not open."""

    async def act(exchange: Exchange) -> tuple[int, list[Any]]:
        return await renew.check(exchange, at_the_keyboard())

    opened, damaged = with_exchange(act)
    for content_id in damaged:
        typer.echo(f"damaged: {content_id}")
    typer.echo(f"{opened} keys open, {len(damaged)} do not.")
    if damaged:
        raise typer.Exit(1)


def _tell(done: Renewed) -> None:
    typer.echo(f"{done.rewrapped} keys wrapped anew, {done.encrypted} documents encrypted.")
    for content_id in done.damaged:
        typer.echo(f"damaged, and left as it is: {content_id}")
    for key_id in done.destroyed:
        typer.echo(f"destroyed, since nothing needs it: {key_id}")
    if done.waits:
        typer.echo("Older keys are destroyed when every process knows the new one: run `keys rewrap` in a minute.")
    if done.refused:
        _tell_what_is_refused(done.refused)


def _tell_what_is_refused(count: int) -> None:
    typer.echo(
        f"{count} documents lie unencrypted and are refused: somebody put them there, or changed them. `keys check` "
        "names them. Restore their rows; only if they are from before there was encryption, `keys rewrap --from-before`"
    )
