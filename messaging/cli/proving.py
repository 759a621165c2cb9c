"""Proving from the terminal that the audit log is as it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from messaging.cli.terminal import AsFormat, Format, at_the_keyboard, print_json, private_file, uuid_of, with_exchange
from messaging.errors import ConfigurationError
from messaging.flow import prove as proving
from messaging.flow import seal as sealing
from messaging.flow import verify as verifying
from messaging.flow.exchange import Exchange
from messaging.flow.verify import Report


def verify(
    *,
    since: Annotated[str | None, typer.Option(help="Only what lies behind this seal: its number or digest.")] = None,
    anchor: Annotated[list[Path] | None, typer.Option(help="One more file that seals were anchored to.")] = None,
    form: AsFormat = Format.TEXT,
) -> None:
    """Check every line, seal and anchor; exit code 1 when something is not as it was sealed."""

    async def act(exchange: Exchange) -> Report:
        return await verifying.verify(exchange, at_the_keyboard(), since=since, copies=anchor or ())

    report = with_exchange(act)
    if form is Format.JSON:
        print_json(_told(report))
    else:
        _print(report)
    if not report.is_whole:
        raise typer.Exit(1)


def _told(report: Report) -> dict[str, Any]:
    return {
        "whole": report.is_whole,
        "lines": report.lines,
        "seals": report.seals,
        "newest": {**report.newest.told(), "digest": report.newest.digest.hex()} if report.newest else None,
        "findings": [
            {
                "verdict": one.verdict.value,
                "notice": one.is_notice,
                "text": one.text,
                "line": one.line,
                "seal": one.seal,
                "anchor": one.anchor,
            }
            for one in report.findings
        ],
        "more": report.more,
    }


def _print(report: Report) -> None:
    for one in report.findings:
        typer.echo(f"{one.verdict.value}: {one.text}")
    if report.more:
        typer.echo(f"and {report.more} more")
    if report.newest:
        typer.echo(f"newest seal {report.newest.number}: {report.newest.digest.hex()}")
    outcome = "is as it was sealed" if report.is_whole else "was changed"
    typer.echo(f"{report.lines} lines under {report.seals} seals checked: the audit log {outcome}.")


def prove(
    message: Annotated[str, typer.Argument(help="The message's id.")],
    to: Annotated[str | None, typer.Option(help="A later seal that the reader trusts: its number or digest.")] = None,
) -> None:
    """Print, as JSON, the proof that each line about a message was sealed."""
    wanted = uuid_of(message)

    async def act(exchange: Exchange) -> dict[str, Any]:
        return await proving.prove(exchange, at_the_keyboard(), wanted, to=to)

    print_json(with_exchange(act))


def export_log(
    file: Annotated[Path, typer.Argument(help="Where to; a new file, readable to its owner alone.")],
) -> None:
    """Write the sealed log and its seals to a file of JSON lines, which deploy/verify_audit.py checks anywhere."""

    async def act(exchange: Exchange) -> None:
        with private_file(file) as out:
            async for lines in proving.export(exchange, at_the_keyboard()):
                out.write(lines)

    with_exchange(act)


def show_key() -> None:
    """Print the public key that checks the seals; give it to auditors by another way than the export."""

    async def act(exchange: Exchange) -> str:
        if exchange.audit_key is None:
            raise ConfigurationError("There is no audit_key_file.")
        return exchange.audit_key.public.hex()

    typer.echo(with_exchange(act))


def acknowledge_gap(
    note: Annotated[str, typer.Option(help="What happened, for the log.", prompt="What happened to the lost lines?")],
) -> None:
    """Let sealing go on after the end of the log was lost, as with a restore; the log tells it for ever."""

    async def act(exchange: Exchange) -> list[int]:
        return await sealing.acknowledge_gap(exchange, at_the_keyboard(), note=note)

    numbers = with_exchange(act)
    typer.echo(f"Recorded: lost up to seal {numbers[-1]}. Sealing goes on within seconds.")
