"""Who has read what, at the terminal."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from messaging.cli.terminal import AsFormat, Format, at_the_keyboard, print_json, print_table, uuid_of, with_exchange
from messaging.flow import trail
from messaging.flow.exchange import Exchange


def list_readers(
    message: Annotated[str | None, typer.Argument(help="The message's id; without one, all messages.")] = None,
    *,
    since: Annotated[datetime | None, typer.Option("--from", help="Read at this time or later.")] = None,
    until: Annotated[datetime | None, typer.Option("--to", help="Read before this time.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    form: AsFormat = Format.TEXT,
) -> None:
    """List who has read a message's document or its metadata, newest first."""
    wanted = uuid_of(message) if message else None
    period = trail.Period(since.astimezone() if since else None, until.astimezone() if until else None)

    async def act(exchange: Exchange) -> list[dict[str, Any]]:
        actor = at_the_keyboard()
        if wanted is not None:
            return await trail.readers_of(exchange, actor, wanted, period=period, limit=limit)
        return await trail.readings(exchange, actor, period, limit=limit)

    found = with_exchange(act)
    if form is Format.JSON:
        print_json(found)
        return
    names = ("role", "parties", "door", "reason")
    print_table(
        ["At", "What", "Who", "Role", "For HER-id", "Door", "Reason", "Message"],
        [
            [
                row["at"],
                row["event"],
                row["actor"],
                *(_cell(row["detail"].get(name)) for name in names),
                row["message_id"],
            ]
            for row in found
        ],
    )


def _cell(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value
