"""Messages about one patient, from the terminal; the number is typed or piped in, and never an argument."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import typer

from messaging.cli.terminal import (
    AsFormat,
    Format,
    at_the_keyboard,
    plain,
    print_json,
    print_table,
    private_file,
    with_exchange,
)
from messaging.flow import disclose, patients, prove
from messaging.flow import erase as erasing
from messaging.flow.erase import Erasure, Stays
from messaging.flow.exchange import Exchange
from messaging.flow.patients import Found, Looked
from messaging.model.clock import OSLO

patient = typer.Typer(help="Messages about one patient.", no_args_is_help=True)

DOOR = "terminal"

Why = Annotated[str, typer.Option("--reason", help="Why; kept in the audit log.")]


def number_given() -> str:
    """Ask for the patient's number without showing it; in a pipe, read its first line."""
    if sys.stdin.isatty():
        return str(typer.prompt("The patient's number", hide_input=True))
    return sys.stdin.readline()


@patient.command("find")
def find_messages(reason: Why, form: AsFormat = Format.TEXT) -> None:
    """Find the messages about a patient, and the AppRecs that answer them; the number comes from standard input."""
    number = number_given()

    async def act(exchange: Exchange) -> Found:
        return await patients.find(exchange, at_the_keyboard(), number, reason=reason, door=DOOR)

    found = with_exchange(act)
    if form is Format.JSON:
        print_json({"messages": found.messages, "not_looked_at": found.not_looked_at})
        return
    print_table(
        ["Received", "Type", "From", "To", "State", "Id"],
        [
            [
                row["received_at"],
                row["type"],
                row["sender_her_id"],
                *("\n".join(str(one[name]) for one in row["deliveries"]) for name in ("receiver_her_id", "state")),
                row["id"],
            ]
            for row in found.messages
        ],
    )
    _tell_what_waits(found.not_looked_at)


def _tell_what_waits(not_looked_at: int) -> None:
    if not_looked_at:
        typer.echo(f"{not_looked_at} older messages were not looked into; see `samhandling patient index`.")


@patient.command("index")
def index_messages() -> None:
    """Look into documents that came before messages could be found by patient; it can be stopped and goes on."""

    async def act(exchange: Exchange) -> Looked:
        return await patients.index(exchange, at_the_keyboard())

    looked = with_exchange(act)
    for message_id in looked.damaged:
        typer.echo(f"damaged, and left as it is: {message_id}")
    typer.echo(f"{looked.messages} messages looked into.")


@patient.command("export")
def export_messages(
    file: Annotated[Path, typer.Argument(help="The zip file to make, readable to its owner alone.")], reason: Why
) -> None:
    """Write all that is kept about a patient to a file: each document, and its trail as JSON."""
    number = number_given()

    async def act(exchange: Exchange) -> dict[str, Any]:
        index: dict[str, Any] = {}
        at = exchange.clock().astimezone(OSLO).timetuple()[:6]
        with private_file(file) as out, ZipFile(out, "w") as archive:
            pieces = disclose.disclose(exchange, at_the_keyboard(), number, reason=reason, door=DOOR)
            async for name, piece in pieces:
                entry = ZipInfo(name, at)
                entry.compress_type, entry.external_attr = ZIP_DEFLATED, 0o600 << 16
                archive.writestr(entry, piece if isinstance(piece, bytes) else _as_json(piece))
                index = piece if name == disclose.INDEX else index
        return index

    index = with_exchange(act)
    counted = f"{len(index['messages'])} messages about the patient and {len(index['refused'])} refused documents"
    typer.echo(f"{counted} written to {file}")
    for row in index["messages"]:
        if row["document"] in ("destroyed", "damaged"):
            typer.echo(f"without its document, which is {row['document']}: {row['id']}")
    _tell_what_is_damaged(index["refused_damaged"])
    _tell_what_waits(index["not_looked_at"])


def _tell_what_is_damaged(refused: int) -> None:
    if refused:
        typer.echo(
            f"{refused} refused documents are damaged, and may be about anybody; they go when their time is over."
        )


def _as_json(piece: Any) -> str:
    return json.dumps(piece, ensure_ascii=False, indent=2, default=plain)


@patient.command("erase")
def erase_messages(
    *,
    reason: Why,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it you are told what would be done.")] = False,
) -> None:
    """Destroy the documents about a patient, and what leads to them by the number; exit code 1 when some must stay."""
    number = number_given()

    async def planned(exchange: Exchange) -> Erasure:
        return await erasing.plan(exchange, at_the_keyboard(), number, reason=reason, door=DOOR)

    async def act(exchange: Exchange) -> Erasure:
        return await erasing.erase(exchange, at_the_keyboard(), number, reason=reason, door=DOOR)

    if not yes:
        _tell(with_exchange(planned), "would be destroyed")
        if not sys.stdin.isatty() or not typer.confirm("Destroy them for good?"):
            typer.echo("Nothing was changed. With --yes it is done.")
            return
    done = with_exchange(act)
    _tell(done, "destroyed")
    if done.messages or done.refused:
        typer.echo(
            f"Its proof, when the audit log is sealed, in a second: samhandling patient proof {done.number} FILE"
        )
    if done.stays or done.refused_held:
        raise typer.Exit(1)


def _tell(erasure: Erasure, what: str) -> None:
    typer.echo(
        f"{erasure.messages} messages: {erasure.documents} documents {what}, AppRecs among them, {erasure.bytes} bytes."
    )
    if erasure.refused or erasure.refused_held:
        held = f"; {erasure.refused_held} are held: see `samhandling retention holds`" if erasure.refused_held else ""
        typer.echo(f"{erasure.refused} refused documents {what}{held}.")
    _tell_what_is_damaged(erasure.refused_damaged)
    for one in erasure.stays:
        typer.echo(f"stays: {one.message_id}")
        for line in _why(one) or ["it was kept until now: run the same again"]:
            typer.echo(f"  {line}")


def _why(stays: Stays) -> list[str]:
    return [
        *(
            f"held by {hold}: see `samhandling retention holds`, then `retention release {hold}`"
            for hold in stays.holds
        ),
        *(
            f"delivery {row['id']} to {row['receiver_her_id']} is {row['state']}: let it end, or "
            f"`samhandling messages close {row['id']}`"
            for row in stays.open
        ),
    ]


@patient.command("proof")
def prove_erasure(
    erasure: Annotated[int, typer.Argument(help="The erasure's number, as `patient erase` told it.")],
    file: Annotated[Path, typer.Argument(help="Where to; a new file, readable to its owner alone.")],
    to: Annotated[str | None, typer.Option(help="A later seal that the reader trusts: its number or digest.")] = None,
) -> None:
    """Write the proof that an erasure was recorded, message by message; deploy/verify_audit.py checks it anywhere."""

    async def act(exchange: Exchange) -> dict[str, Any]:
        return await prove.prove_erasure(exchange, at_the_keyboard(), erasure, to=to)

    proof = with_exchange(act)
    with private_file(file) as out:
        out.write(_as_json(proof).encode())
    typer.echo(f"{len(proof['message_ids'])} messages, {len(proof['refusal_ids'])} refused documents proved in {file}")
