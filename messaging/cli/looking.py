"""Looking at messages and at the audit log, and sending again, from the terminal."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

import typer

from messaging.cli.terminal import (
    AsFormat,
    Format,
    at_the_keyboard,
    print_json,
    print_table,
    uuid_of,
    with_exchange,
)
from messaging.documents.rendering import render_text
from messaging.flow import inspect
from messaging.flow import resend as flow
from messaging.flow.exchange import Exchange
from messaging.model.lifecycle import State

conversations = typer.Typer(help="Messages that belong together, as those of one stay.", no_args_is_help=True)
messages = typer.Typer(help="Messages, their deliveries and their timelines.", no_args_is_help=True)
audit = typer.Typer(help="The audit log.", no_args_is_help=True)

_DOOR = "terminal"


@messages.command("list")
def list_messages(
    *,
    party: Annotated[int | None, typer.Option(help="Sent or received by this HER-id.")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="Only this 8279 code.")] = None,
    state: Annotated[State | None, typer.Option(help="Only with a delivery in this state.")] = None,
    any_id: Annotated[str | None, typer.Option("--id", help="Our id, MsgId, conversation or delivery.")] = None,
    since: Annotated[datetime | None, typer.Option("--from", help="Received at this time or later.")] = None,
    until: Annotated[datetime | None, typer.Option("--to", help="Received before this time.")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those that lack an AppRec that was due.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    form: AsFormat = Format.TEXT,
) -> None:
    """List messages, newest first."""
    wanted = inspect.Search(
        party=party,
        type=kind,
        state=state.value if state else None,
        any_id=any_id,
        received_from=since.astimezone() if since else None,
        received_to=until.astimezone() if until else None,
        limit=limit,
    )

    async def act(exchange: Exchange) -> list[dict[str, Any]]:
        asked = replace(wanted, overdue_at=exchange.clock()) if overdue else wanted
        return await inspect.search(exchange, at_the_keyboard(), asked, door=_DOOR)

    found = with_exchange(act)
    if form is Format.JSON:
        print_json(found)
        return
    print_table(
        ["Received", "Type", "From", "To", "State", "AppRec", "Id"],
        [
            [
                row["received_at"],
                row["type"],
                row["sender_her_id"],
                _each(row, "receiver_her_id"),
                _each(row, "state"),
                _each(row, "receipt_status"),
                row["id"],
            ]
            for row in found
        ],
    )


def _each(row: dict[str, Any], column: str) -> str:
    return "\n".join(str(delivery[column] or "-") for delivery in row["deliveries"])


@messages.command("show")
def show_message(message_id: Annotated[str, typer.Argument()], form: AsFormat = Format.TEXT) -> None:
    """Show one message: its deliveries, attempts, and every step of its timeline."""
    wanted = uuid_of(message_id)

    async def act(exchange: Exchange) -> inspect.Story:
        return await inspect.story(exchange, at_the_keyboard(), wanted, door=_DOOR)

    story = with_exchange(act)
    if form is Format.JSON:
        print_json(
            {
                "message": story.message,
                "deliveries": story.deliveries,
                "attempts": story.attempts,
                "timeline": story.timeline,
            }
        )
        return
    shown = (
        "type",
        "version",
        "status",
        "msg_id",
        "sender_her_id",
        "gen_date",
        "received_at",
        "door",
        "client_id",
        "size",
        "superseded_by",
    )
    print_table(["Message", str(wanted)], [[name, story.message[name]] for name in shown])
    if story.message["warnings"]:
        print_table(["Warning", "Line", "Text"], [[w["code"], w["line"], w["text"]] for w in story.message["warnings"]])
    print_table(
        ["Delivery", "To", "Role", "Route", "State", "AppRec", "Waits for", "Until"],
        [
            [
                d["id"],
                d["receiver_her_id"],
                d["role"],
                d["route"],
                d["state"],
                d["receipt_status"],
                d["owner"],
                d["due_at"],
            ]
            for d in story.deliveries
        ],
    )
    if story.attempts:
        print_table(
            ["Attempt", "Started", "Ended", "Outcome", "Detail"],
            [[a["number"], a["started_at"], a["ended_at"], a["outcome"], a["detail"]] for a in story.attempts],
        )
    _print_lines(story.timeline)


@messages.command("read")
def read_message(
    message_id: Annotated[str, typer.Argument()],
    reason: Annotated[str, typer.Option(help="Why it is read; kept in the audit log.")],
) -> None:
    """Print one message's document as a person reads it; who read it, and why, is kept in the audit log."""
    wanted = uuid_of(message_id)

    async def act(exchange: Exchange) -> bytes:
        return await inspect.read_for_operator(exchange, at_the_keyboard(), wanted, reason=reason, door=_DOOR)

    typer.echo(render_text(with_exchange(act)))


@conversations.command("show")
def show_conversation(
    any_id: Annotated[str, typer.Argument(metavar="ID", help="A conversation's id, or any id of one of its messages.")],
    form: AsFormat = Format.TEXT,
) -> None:
    """Show a whole stay in order, and what awaits whom."""

    async def act(exchange: Exchange) -> inspect.Conversation:
        return await inspect.conversation(exchange, at_the_keyboard(), any_id, door=_DOOR)

    found = with_exchange(act)
    if form is Format.JSON:
        print_json({"messages": found.messages, "complete": found.complete})
        return
    print_table(
        ["Written", "Type", "Status", "From", "To", "State", "AppRec", "Waits for", "Superseded by", "Id"],
        [
            [
                row["gen_date"],
                row["type"],
                row["status"],
                row["sender_her_id"],
                *(_each(row, column) for column in ("receiver_her_id", "state", "receipt_status", "owner")),
                row["superseded_by"],
                row["id"],
            ]
            for row in found.messages
        ],
    )
    if not found.complete:
        typer.echo("There are more; these are the first.")


@messages.command("resend")
def resend_delivery(
    delivery_id: Annotated[str, typer.Argument(help="A delivery that was given up; see `messages show`.")],
    note: Annotated[str, typer.Option(help="Why, for the timeline.", prompt="Why is it sent again?")],
) -> None:
    """Send a given-up delivery again, with the same MsgId: only the transport failed."""
    wanted = uuid_of(delivery_id)

    async def act(exchange: Exchange) -> None:
        await flow.resend(exchange, at_the_keyboard(), wanted, note=note)

    with_exchange(act)
    typer.echo("It is in line again.")


@messages.command("close")
def close_delivery(
    delivery_id: Annotated[str, typer.Argument(help="A delivery that nobody need wait for; see `messages show`.")],
    note: Annotated[str, typer.Option(help="Why, for the timeline.", prompt="Why is it closed?")],
) -> None:
    """Stop waiting for a delivery; a late AppRec is still taken."""
    wanted = uuid_of(delivery_id)

    async def act(exchange: Exchange) -> None:
        await flow.close(exchange, at_the_keyboard(), wanted, note=note)

    with_exchange(act)
    typer.echo("It is closed.")


@audit.command("show")
def show_audit(
    *,
    message: Annotated[str | None, typer.Option(help="Only lines about this message.")] = None,
    event: Annotated[str | None, typer.Option(help="Only this event, such as message.received.")] = None,
    after: Annotated[int, typer.Option(help="Only lines behind this one.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    form: AsFormat = Format.TEXT,
) -> None:
    """Show the audit log, oldest line first."""
    about = uuid_of(message) if message else None

    async def act(exchange: Exchange) -> list[dict[str, Any]]:
        if about is not None:
            return (await inspect.story(exchange, at_the_keyboard(), about, door=_DOOR)).timeline
        return await inspect.audit_log(exchange, at_the_keyboard(), after=after, limit=limit, event=event, door=_DOOR)

    lines = with_exchange(act)
    if form is Format.JSON:
        print_json(lines)
    else:
        _print_lines(lines)


def _print_lines(lines: list[dict[str, Any]]) -> None:
    print_table(
        ["Line", "At", "Event", "Who", "HER-id", "Detail"],
        [
            [
                line["id"],
                line["at"],
                line["event"],
                line["actor"],
                line["her_id"],
                ", ".join(f"{key}={value}" for key, value in line["detail"].items()),
            ]
            for line in lines
        ],
    )
