"""Messages about one patient, from the terminal; the number is typed or piped in, and never an argument."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from messaging.cli.terminal import AsFormat, Format, at_the_keyboard, print_json, print_table, with_exchange
from messaging.flow import patients
from messaging.flow.exchange import Exchange
from messaging.flow.patients import Found, Looked

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
    if found.not_looked_at:
        typer.echo(f"{found.not_looked_at} older messages were not looked into; see `samhandling patient index`.")


@patient.command("index")
def index_messages() -> None:
    """Look into documents that came before messages could be found by patient; it can be stopped and goes on."""

    async def act(exchange: Exchange) -> Looked:
        return await patients.index(exchange, at_the_keyboard())

    looked = with_exchange(act)
    for message_id in looked.damaged:
        typer.echo(f"damaged, and left as it is: {message_id}")
    typer.echo(f"{looked.messages} messages looked into.")
