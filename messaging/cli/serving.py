"""Commands that run the exchange, or get it ready to run."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import signal
import socket
import sys
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from messaging import __version__, logs
from messaging.app import bring_up_to_date, create_app, open_exchange, traced
from messaging.cli.production import Lack, lacks
from messaging.cli.terminal import at_the_keyboard
from messaging.errors import ConfigurationError
from messaging.flow import work as flow_work
from messaging.flow.standing import Standing, standing
from messaging.memory import leave_what_stays, look_for_nothing
from messaging.settings import Settings, load

_GOODBYE_SECONDS = 25
"""How long requests under way may hold up the end."""
_SILENT_SECONDS = 60
"""A worker process that says nothing for so long is killed; on a busy machine it takes many to begin."""
_OWN_NAMES = ("messaging", "adapters", "schemas", "fixtures")


def _log(settings: Settings) -> None:
    logs.write_to(sys.stderr, level=settings.log_level, form=settings.log_format)


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that serve; more than one needs PostgreSQL.")] = 1,
    uds: Annotated[Path | None, typer.Option(help="A Unix socket to listen on instead of an address.")] = None,
) -> None:
    """Serve the HTTP doors, deliver and watch."""
    settings = _load(host=host, port=port, uds=uds)
    _refuse_foreign_packages()
    _log(settings)
    if workers > 1 and settings.database_url.startswith("sqlite"):
        raise ConfigurationError("One process serves an SQLite file; use PostgreSQL for --workers above 1.")
    several = workers > 1
    if not several:
        look_for_nothing()  # until everything is loaded, which the application says
    server = _server()
    listening = _bound(settings.uds) if settings.uds else None
    config = server.configured(
        "messaging.cli.serving:application" if several else create_app(settings, alone=True),
        settings.manners(),
        factory=several,
        workers=workers,
        host=settings.host,
        port=settings.port,
        timeout_graceful_shutdown=_GOODBYE_SECONDS,
        timeout_worker_healthcheck=_SILENT_SECONDS,
    )
    server.serve(config, listening)


def _bound(path: Path) -> socket.socket:
    from messaging.api.unix_socket import bound

    return bound(path)


def _server() -> ModuleType:
    """Find the HTTP server. Raises ConfigurationError without the one parser that reads strictly enough."""
    try:
        from messaging.api import server
    except ImportError as error:
        raise ConfigurationError(
            f"The HTTP server cannot be used: {error}. Install the dependencies that requirements.lock names; without "
            "httptools nothing is served, as no other parser refuses ambiguous requests."
        ) from error
    return server


def _load(**given: str | int | Path | None) -> Settings:
    return load(None, **{name: value for name, value in given.items() if value is not None})


def application() -> object:
    """Make the application in a worker process of `serve --workers`."""
    look_for_nothing()
    settings = load()
    _log(settings)
    return create_app(settings, alone=True)


def work() -> None:
    """Deliver and watch without serving; on PostgreSQL any number may run beside `serve`."""
    settings = load()
    _refuse_foreign_packages()
    _log(settings)
    if settings.database_url.startswith("sqlite"):
        raise ConfigurationError("On SQLite `serve` does all the work; use PostgreSQL for processes of their own.")

    async def until_stopped() -> None:
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        worker = f"worker:{os.uname().nodename}:{os.getpid()}"
        with traced(settings):
            async with open_exchange(settings) as exchange, flow_work.running(exchange, worker=worker):
                leave_what_stays()
                await stopped.wait()

    asyncio.run(until_stopped())


class Ways(StrEnum):
    """How the demo's systems say who they are."""

    KEY = "key"
    OAUTH = "oauth"


def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="Play the stay, print the summary, and stop.")] = False,
    idle: Annotated[bool, typer.Option("--idle", help="Serve without the simulated traffic.")] = False,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on; 0 takes a free one.")] = 8080,
    data: Annotated[Path | None, typer.Option(help="The folder to keep the demo's data in.")] = None,
    database_url: Annotated[str | None, typer.Option(help="A PostgreSQL database instead of an SQLite file.")] = None,
    auth: Annotated[Ways, typer.Option(help="How the simulated systems say who they are.")] = Ways.KEY,
    busy: Annotated[bool, typer.Option("--busy", help="Fill the console with a month of made-up messages.")] = False,
    messages: Annotated[int, typer.Option(min=50, max=100_000, help="With --busy: about so many messages.")] = 1_500,
    fresh: Annotated[bool, typer.Option("--fresh", help="With --busy: delete the folder's month first.")] = False,
) -> None:
    """Play one patient's stay through the public API, or a month of a whole region (--busy), and keep serving."""
    from messaging import demo as played
    from messaging.demo.busy import Busy

    oauth = auth is Ways.OAUTH
    if busy and (once or idle or oauth):
        raise typer.BadParameter("--busy fills the exchange and serves it; leave out --once, --idle and --auth.")
    if fresh and (not busy or database_url):
        raise typer.BadParameter("--fresh deletes the month in --busy's own folder; empty a database yourself.")
    run = played.run(
        once=once,
        idle=idle,
        host=host,
        port=port,
        data=data,
        database_url=database_url,
        oauth=oauth,
        busy=Busy(messages, fresh=fresh) if busy else None,
    )
    raise typer.Exit(asyncio.run(run))


def migrate() -> None:
    """Bring the database up to date, in the role of SAMHANDLING_MIGRATION_URL when there is one."""
    asyncio.run(bring_up_to_date(load()))
    typer.echo("The database is up to date.")


def check(
    *,
    production: Annotated[
        bool, typer.Option("--production", help="Say too what is missing before real patients' messages pass through.")
    ] = False,
) -> None:
    """Check settings, database, schemas and adapters, and start nothing."""
    settings = load()
    _refuse_foreign_packages()
    found = asyncio.run(_standing(settings))
    typer.echo("Everything that a start needs is in order.")
    if production:
        _weigh(lacks(settings, found))


async def _standing(settings: Settings) -> Standing:
    async with open_exchange(settings) as exchange:
        return await standing(exchange, at_the_keyboard())


def _weigh(found: list[Lack]) -> None:
    """Say what is missing; with anything grave the command fails."""
    for lack in found:
        typer.echo(f"{'missing' if lack.grave else 'consider'}: {lack.what} {lack.do}")
    grave = sum(lack.grave for lack in found)
    if grave:
        typer.echo(f"Not ready for production: {grave} things are missing.")
        raise typer.Exit(1)
    typer.echo("Nothing is missing for production, as far as can be seen from here.")


def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def _refuse_foreign_packages() -> None:
    """Refuse to start where another distribution has put packages under our import names."""
    owners = importlib.metadata.packages_distributions()
    for name in _OWN_NAMES:
        foreign = sorted(set(owners.get(name, ())) - {"samhandling"})
        if foreign:
            raise ConfigurationError(
                f"The package {foreign[0]} owns the import name {name!r} here; install Samhandling in an environment "
                "of its own."
            )
