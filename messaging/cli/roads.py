"""Routes from the terminal: how each stands, and to park one and let it go on."""

from __future__ import annotations

from typing import Annotated

import typer

from messaging.cli.terminal import AsFormat, Format, at_the_keyboard, print_json, print_table, with_exchange
from messaging.flow import resend_many
from messaging.flow import routes as flow
from messaging.flow.exchange import Exchange
from messaging.model.clock import system_clock

routes = typer.Typer(help="Routes to parties through adapters: how they stand, park, resume.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The route, as `routes list` names it.")]
Why = Annotated[str, typer.Option(help="Why, for the audit log.", prompt="Why?")]


@routes.command("list")
def list_routes(form: AsFormat = Format.TEXT) -> None:
    """List the routes: how each stands, what waits for it, and what went wrong last."""

    async def act(exchange: Exchange) -> list[flow.RouteTold]:
        return await flow.standing(exchange, at_the_keyboard())

    found = with_exchange(act)
    columns = ["name", "standing", "circuit", "waiting", "oldest", "attempts", "last_error", "last_error_at", "note"]
    rows = [
        [
            one.record.name,
            one.standing.value,
            one.circuit.value,
            one.waiting.count,
            one.waiting.oldest,
            one.attempts,
            one.record.last_error,
            one.record.last_error_at,
            one.record.parked_note,
        ]
        for one in found
    ]
    if form is Format.JSON:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    print_table(
        ["Route", "State", "Circuit", "Waiting", "Oldest", "Attempts/min", "Last error", "At", "Parked because"], rows
    )


@routes.command("park")
def park_route(name: Name, note: Why) -> None:
    """Send nothing on a route until it is resumed; it stays so when processes start again."""

    async def act(exchange: Exchange) -> None:
        await flow.park(exchange, at_the_keyboard(), name, note=note)

    with_exchange(act)
    typer.echo(f"{name} is parked. Messages wait in line, and deadlines run on; `routes resume {name}` lets it go on.")


@routes.command("resume")
def resume_route(name: Name, note: Why) -> None:
    """Let a route that is parked, or that rests after failures, go on."""

    async def act(exchange: Exchange) -> None:
        await flow.resume(exchange, at_the_keyboard(), name, note=note)

    with_exchange(act)
    typer.echo(f"{name} goes on.")


@routes.command("resend")
def resend_given_up(
    name: Name,
    note: Why,
    *,
    receiver: Annotated[int | None, typer.Option(help="Only to this HER-id.")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="Only this 8279 code.")] = None,
    per_minute: Annotated[int, typer.Option(help="So many a minute at most.")] = resend_many.USUAL_PER_MINUTE,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether to go on.")] = False,
) -> None:
    """Send again what was given up on a route; how much that is, is told first."""
    wanted = resend_many.GivenUp(until=system_clock(), route=name, receiver=receiver, type=kind)

    async def look(exchange: Exchange) -> resend_many.Preview:
        return await resend_many.preview(exchange, at_the_keyboard(), wanted)

    async def act(exchange: Exchange) -> int:
        return await resend_many.resend(exchange, at_the_keyboard(), wanted, per_minute=per_minute, note=note)

    found = with_exchange(look).found
    if not found.count:
        typer.echo("Nothing was given up that fits.")
        return
    at_least = "at least " if found.at_least else ""
    typer.echo(f"{at_least}{found.count} deliveries, given up from {found.oldest} to {found.newest}.")
    if not yes:
        typer.confirm("Send them again?", abort=True)
    typer.echo(f"{with_exchange(act)} are in line again.")
