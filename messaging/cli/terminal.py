"""How commands reach the exchange and print: tables for people, JSON for scripts."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TypeVar
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from messaging.app import open_exchange
from messaging.errors import InvalidRequest
from messaging.flow.exchange import Exchange
from messaging.model.access import Role
from messaging.model.clock import OSLO
from messaging.model.party import Client
from messaging.settings import load

Result = TypeVar("Result")

_WIDE = 240


class Format(StrEnum):
    """How a command prints."""

    TEXT = "text"
    JSON = "json"


AsFormat = Annotated[Format, typer.Option("--format", help="A table for people, or JSON for scripts.")]


def at_the_keyboard() -> Client:
    """Tell who acts here: whoever can reach the database and the key files may do anything with them."""
    return Client(id=f"cli:{getpass.getuser()}"[:40], name="terminal", role=Role.ADMIN)


def with_exchange(act: Callable[[Exchange], Awaitable[Result]]) -> Result:
    """Open the exchange that the settings name, act, and close it; nothing is served."""

    async def opened() -> Result:
        async with open_exchange(load()) as exchange:
            return await act(exchange)

    return asyncio.run(opened())


@contextmanager
def private_file(file: Path) -> Iterator[BinaryIO]:
    """Make a file, readable to its owner alone, and let it be written; what cannot be finished is removed.

    Raises InvalidRequest when there is such a file, or none can be made there.
    """
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InvalidRequest("That file is there already; name a new one.") from None
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be written: {error.strerror}.") from None
    try:
        with os.fdopen(descriptor, "w+b") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def print_json(value: Any) -> None:
    """Print JSON that a script reads."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=plain))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str = "") -> None:
    """Print a table for people; nothing in it is read as markup."""
    table = Table(*columns, title=title or None, title_justify="left", header_style="bold")
    for row in rows:
        table.add_row(*(plain_text(cell) for cell in row))
    console = Console()
    if not console.is_terminal:  # a pipe has no width to keep to, and an id broken in two helps nobody
        console = Console(width=_WIDE)
    console.print(table, markup=False)


def plain(value: Any) -> Any:
    """Turn a value of the store into one that JSON knows."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def plain_text(value: Any) -> str:
    """Turn a value into a cell: times are Norwegian, and what would be markup is text."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        value = value.astimezone(OSLO).strftime("%Y-%m-%d %H:%M:%S")
    return str(value)


def uuid_of(text: str) -> UUID:
    """Read an id as typed."""
    try:
        return UUID(text)
    except ValueError:
        raise InvalidRequest("That is no id; ids look like 5f5e94d5-d908-476b-a172-a241c52eddb6.") from None
