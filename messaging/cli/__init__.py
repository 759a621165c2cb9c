"""The command `samhandling`: serve, work, look, and judge documents."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from messaging import logs
from messaging.cli import (
    backing_up,
    calling,
    documents,
    keeping,
    looking,
    patient,
    people,
    proving,
    reading,
    registering,
    retaining,
    roads,
    schemas,
    serving,
    topping,
)
from messaging.errors import CallerError, ConfigurationError, Unavailable
from messaging.logs import logger_of
from messaging.model.log import LogEvent

logger = logger_of(__name__)

app = typer.Typer(
    name="samhandling",
    help="The message exchange for discharge and referral messages.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serving.serve)
app.command()(serving.work)
app.command()(serving.demo)
app.command()(serving.migrate)
app.command()(serving.check)
app.command()(serving.version)
app.command()(topping.top)
app.command()(backing_up.backup)
app.command()(backing_up.restore)
app.command()(documents.validate)
app.add_typer(registering.parties, name="parties")
app.add_typer(calling.clients, name="clients")
app.add_typer(people.accounts, name="accounts")
looking.messages.command("readers")(reading.list_readers)
app.add_typer(looking.messages, name="messages")
app.add_typer(looking.conversations, name="conversations")
looking.audit.command()(proving.verify)
looking.audit.command()(proving.prove)
looking.audit.command("export")(proving.export_log)
looking.audit.command("key")(proving.show_key)
looking.audit.command("acknowledge-gap")(proving.acknowledge_gap)
app.add_typer(looking.audit, name="audit")
app.add_typer(roads.routes, name="routes")
app.add_typer(schemas.schemas, name="schemas")
app.add_typer(keeping.keys, name="keys")
app.add_typer(retaining.retention, name="retention")
app.add_typer(patient.patient, name="patient")

_WRONG_USE = 2
_FAILED = 70  # EX_SOFTWARE
_UNAVAILABLE = 75  # EX_TEMPFAIL: the same command may succeed later


def main() -> None:
    """Run the command; what went wrong is told in words, on standard error."""
    logs.write_to(sys.stderr, level="warning", form=None)
    try:
        app()
    except ConfigurationError as error:
        _say(f"Cannot start: {error}")
        sys.exit(_WRONG_USE)
    except Unavailable as error:
        _say(str(error))
        sys.exit(_UNAVAILABLE)
    except CallerError as error:
        _say(" ".join([str(error), *error.details]))
        sys.exit(1)
    except Exception:
        logger.exception(LogEvent.COMMAND_FAILED)
        _say("Something went wrong that nobody foresaw; the line above says where. Nothing of a document is in it.")
        sys.exit(_FAILED)


def _say(text: str) -> None:
    Console(stderr=True, soft_wrap=True).print(text, markup=False, highlight=False)
