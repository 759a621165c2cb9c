"""The overview in a terminal: what needs somebody, what waits, how the routes stand; live, or once for a script."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from messaging.cli.terminal import AsFormat, Format, at_the_keyboard, plain_text, print_json, with_exchange
from messaging.errors import Unavailable
from messaging.flow import measure, overview, routes
from messaging.flow.exchange import Exchange
from messaging.flow.measure import Figures
from messaging.flow.overview import Attention, Kind
from messaging.flow.routes import RouteTold, Standing

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_COUNTED = ("received", "delivered", "acknowledged", "rejected", "failed", "refused")
_NEEDS = {
    Kind.APPREC_OVERDUE: "AppRecs overdue",
    Kind.GIVEN_UP: "given up",
    Kind.REJECTED: "rejected, not looked at",
    Kind.UNCOLLECTED: "uncollected in mailboxes",
    Kind.UNPOLLED: "mailboxes that nobody asks for",
    Kind.PARKED: "routes parked",
    Kind.EXPIRING: "keys and certificates that end soon",
    Kind.UNSEALED: "audit lines without a seal",
    Kind.REFUSED: "refused in the last 24 hours",
}
_WIDE = 120


@dataclass(frozen=True, slots=True)
class Seen:
    """What is shown of one moment."""

    at: datetime
    needs: tuple[Attention, ...]
    figures: Figures
    routes: list[RouteTold]
    last_hour: Counter[str]
    last_day: Counter[str]


async def look(exchange: Exchange) -> Seen:
    """Look at everything once; nothing of it is about one message, so that the audit log has no line of it."""
    actor, now = at_the_keyboard(), exchange.clock()
    day: Counter[str] = Counter()
    hour: Counter[str] = Counter()
    for one in await overview.by_hour(exchange, actor, back=_DAY):
        day.update(one.counts)
        if one.at > now - 2 * _HOUR:
            hour.update(one.counts)
    needs, figures = await overview.needs(exchange, actor), await measure.figures(exchange, actor)
    return Seen(now, needs, figures, await routes.standing(exchange, actor), hour, day)


def top(
    *,
    once: Annotated[bool, typer.Option("--once", help="Show it once and end; a pipe gets it once too.")] = False,
    every: Annotated[float, typer.Option(min=0.5, max=3600, help="Seconds between looks.")] = 2.0,
    form: AsFormat = Format.TEXT,
) -> None:
    """Show what needs somebody, what waits and how the routes stand, until Ctrl-C."""
    console = Console()
    if form is Format.JSON:
        print_json(told(with_exchange(look)))
        return
    if once or not console.is_terminal:
        (console if console.is_terminal else Console(width=_WIDE)).print(shown(with_exchange(look)))
        return

    async def follow(exchange: Exchange) -> None:
        await _follow(exchange, console, every)

    try:
        with_exchange(follow)
    except KeyboardInterrupt:
        return


async def _follow(exchange: Exchange, console: Console, every: float) -> None:
    """Show it anew until interrupted; while the database is away, the last that was seen stays."""
    seen, problem = await look(exchange), ""
    with Live(shown(seen), console=console, screen=True, auto_refresh=False) as live:
        while True:
            await asyncio.sleep(every)
            try:
                seen, problem = await look(exchange), ""
            except Unavailable as error:
                problem = str(error)
            live.update(shown(seen, problem), refresh=True)


def told(seen: Seen) -> dict[str, Any]:
    """Give it as a script reads it."""
    return {
        "at": seen.at,
        "needs": [
            {"kind": one.kind.value, "count": one.need.count, "atLeast": one.need.at_least, "oldest": one.need.oldest}
            for one in seen.needs
        ],
        "open": {state: {"count": one.count, "oldest": one.oldest} for state, one in seen.figures.states.items()},
        "routes": [
            {"name": one.record.name, "standing": one.standing.value, "waiting": one.waiting.count}
            for one in seen.routes
        ],
        "lastHour": {name: seen.last_hour[name] for name in _COUNTED},
        "lastDay": {name: seen.last_day[name] for name in _COUNTED},
        "unsealed": seen.figures.unsealed,
    }


def shown(seen: Seen, problem: str = "") -> RenderableType:
    """Lay it out for a person; nothing in it is read as markup."""
    wanting = [one for one in seen.needs if one.need.count]
    parts: list[RenderableType] = [Text(f"Samhandling  {plain_text(seen.at)}", style="bold")]
    if problem:
        parts.append(Text(problem, style="bold red"))
    if wanting:
        needs = [(_NEEDS[one.kind], _count(one), _age(seen.at, one.need.oldest)) for one in wanting]
        parts.append(_table("Needs somebody", ("What", "How many", "Since, or until"), needs))
    else:
        parts.append(Text("Nothing needs anybody.", style="green"))
    states = sorted(seen.figures.states.items())
    waits = [(state, str(one.count), _age(seen.at, one.oldest)) for state, one in states]
    parts.append(_table("Waits", ("State", "Deliveries", "Oldest"), waits))
    if seen.routes:
        parts.append(
            _table("Routes", ("Route", "Stands", "In line", "Last error"), [_route(one) for one in seen.routes])
        )
    gone = [(name, str(seen.last_hour[name]), str(seen.last_day[name])) for name in _COUNTED]
    parts.append(_table("Gone through", ("What", "This hour and the last", "24 hours"), gone))
    return Group(*parts)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold", expand=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _route(one: RouteTold) -> tuple[str, str, str, str]:
    stands = one.standing.value.replace("_", " ")
    error = one.record.last_error if one.standing is not Standing.WORKING else None
    return one.record.name, stands, f"{one.waiting.count}{'+' if one.waiting.at_least else ''}", error or ""


def _count(one: Attention) -> str:
    return f"{one.need.count}{'+' if one.need.at_least else ''}"


def _age(now: datetime, moment: datetime | None) -> str:
    """Say how long ago, or how far ahead, by the largest unit that fits."""
    if moment is None:
        return ""
    seconds = abs((now - moment).total_seconds())
    sign = "in " if moment > now else ""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{sign}{seconds / size:.0f} {unit}"
    return f"{sign}{seconds:.0f} s"
