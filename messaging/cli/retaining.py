"""How long documents are kept, from the terminal."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from messaging.cli.terminal import AsFormat, Format, at_the_keyboard, print_json, print_table, uuid_of, with_exchange
from messaging.flow import retain
from messaging.flow.exchange import Exchange
from messaging.flow.retain import Over
from messaging.model.retention import HoldScope

retention = typer.Typer(help="What is kept whose time is over, and legal holds.", no_args_is_help=True)


@retention.command("plan")
def show_plan() -> None:
    """Show what `retention run` would do now, and change nothing."""

    async def act(exchange: Exchange) -> Over:
        return await retain.plan(exchange, at_the_keyboard())

    _tell(with_exchange(act), "would be destroyed", "would be reduced")


@retention.command("run")
def run_now() -> None:
    """Destroy the documents whose time is over, and reduce messages whose own is; the audit log stays."""

    async def act(exchange: Exchange) -> Over:
        return await retain.run(exchange, at_the_keyboard())

    _tell(with_exchange(act), "destroyed", "reduced")


def _tell(over: Over, destroyed: str, reduced: str) -> None:
    for kind, count in sorted(over.by_type.items()):
        typer.echo(f"{kind}: {count}")
    typer.echo(f"{over.documents} documents {destroyed}, {over.bytes} bytes; {over.held} are held.")
    typer.echo(
        f"{over.messages} messages {reduced} to what answers a repetition, {over.metadata_bytes} bytes; "
        f"{over.messages_held} are held."
    )


@retention.command("hold")
def place_hold(
    scope: Annotated[HoldScope, typer.Argument(help="What is held.")],
    subject: Annotated[str, typer.Argument(help="The message's or conversation's id, or the party's HER-id.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the audit log.", prompt="Why is it held?")],
    review: Annotated[datetime, typer.Option(help="The day when somebody looks whether it still holds.")],
) -> None:
    """Keep documents from being destroyed, whatever their time."""

    async def act(exchange: Exchange) -> Any:
        review_at = review.astimezone()
        return await retain.place_hold(exchange, at_the_keyboard(), scope, subject, reason=reason, review_at=review_at)

    typer.echo(f"Held: {with_exchange(act)}")


@retention.command("release")
def release_hold(
    hold: Annotated[str, typer.Argument(help="The hold's id; see `retention holds`.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the audit log.", prompt="Why is it released?")],
) -> None:
    """Let a legal hold go."""
    wanted = uuid_of(hold)

    async def act(exchange: Exchange) -> None:
        await retain.release_hold(exchange, at_the_keyboard(), wanted, reason=reason)

    with_exchange(act)
    typer.echo("Released.")


@retention.command("holds")
def list_holds(
    *,
    released: Annotated[bool, typer.Option("--all", help="Those that were released, too.")] = False,
    form: AsFormat = Format.TEXT,
) -> None:
    """List the legal holds."""

    async def act(exchange: Exchange) -> list[dict[str, Any]]:
        return await retain.holds(exchange, at_the_keyboard(), released=released)

    found = with_exchange(act)
    if form is Format.JSON:
        print_json(found)
        return
    columns = ("id", "scope", "subject", "reason", "review_at", "placed_by", "released_at")
    print_table(
        ["Hold", "Of", "Subject", "Reason", "Review", "Placed by", "Released"],
        [[row[column] for column in columns] for row in found],
    )
