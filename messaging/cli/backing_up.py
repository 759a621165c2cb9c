"""Backups from the terminal: made while the exchange serves, and restored into an empty database."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from messaging.app import bring_up_to_date, only_server, open_exchange
from messaging.cli.terminal import at_the_keyboard
from messaging.errors import ConfigurationError
from messaging.flow import back_up as backing
from messaging.flow.back_up import Backup
from messaging.flow.verify import Report, verify
from messaging.model.clock import system_clock
from messaging.model.seal import Verdict
from messaging.settings import Settings, load
from messaging.store.session import Database

_LOST = frozenset({Verdict.RESTORED, Verdict.TRUNCATED, Verdict.SEAL_DELETED})
_MEGABYTE = 1_000_000


def backup(
    folder: Annotated[Path, typer.Argument(help="The folder to make; it must not be there yet.")],
) -> None:
    """Copy the database into a new folder, while the exchange serves; keys and settings are not in it."""
    settings = load()

    async def act() -> Backup:
        database = _opened(settings)
        try:
            return await backing.back_up(database, folder, at=system_clock())
        finally:
            await database.close()

    made = asyncio.run(act())
    seal = f"the audit log up to seal {made.seal} at least" if made.seal is not None else "no sealed line yet"
    typer.echo(f"{folder}: {made.bytes / _MEGABYTE:.1f} MB, {seal}.")
    typer.echo("Keep the keys elsewhere: without the master key no document in it can be read.")


def restore(folder: Annotated[Path, typer.Argument(help="A folder that `backup` made.")]) -> None:
    """Fill the empty database that the settings name from a backup, and check the audit log against its anchors.

    Exit code 1 when more is wrong than that the newest lines are missing.
    """
    settings = load()
    asyncio.run(_fill(settings, folder))
    missing = [str(path) for path in (settings.key_file, settings.audit_key()) if not path.exists()]
    if missing:
        typer.echo(f"Put {' and '.join(missing)} back before you start: new keys would be made in their place.")
        typer.echo("Then run `samhandling audit verify`. Nothing was checked.")
        raise typer.Exit(1)
    report = asyncio.run(_checked(settings))
    for one in report.findings:
        typer.echo(f"{one.verdict.value}: {one.text}")
    found = {one.verdict for one in report.findings if not one.is_notice}
    if found & _LOST:
        typer.echo("The end of the log is not in the backup: what came in then is lost, and its senders send it again.")
        typer.echo('Before you start, tell the log: samhandling audit acknowledge-gap --note "restored a backup of …"')
    elif not found:
        typer.echo(f"{report.lines} lines under {report.seals} seals checked: the audit log is as it was sealed.")
    if found - _LOST:
        raise typer.Exit(1)


async def _fill(settings: Settings, folder: Path) -> None:
    with only_server(settings):
        database = _opened(settings)
        try:
            made = await backing.restore(database, folder)
        finally:
            await database.close()
    await bring_up_to_date(settings)
    typer.echo(f"Restored the backup of {made.made_at}.")


def _opened(settings: Settings) -> Database:
    """Open the database in the role that owns its tables, where one is named."""
    owner = settings.migration_url
    return Database(owner.get_secret_value() if owner else settings.database_url, pool_size=2)


async def _checked(settings: Settings) -> Report:
    try:
        async with open_exchange(settings) as exchange:
            return await verify(exchange, at_the_keyboard())
    except ConfigurationError as error:
        raise ConfigurationError(f"The database is restored, and cannot be opened yet. {error}") from error
