"""The busy demo: an exchange that has had a month of messages behind it, with what a month brings."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shlex
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from messaging import logs
from messaging.demo.fill import fill, settings_of_routes
from messaging.demo.person import Person
from messaging.demo.world import Cast, DemoFolder, Guest
from messaging.model.access import Role
from messaging.model.party import Client
from messaging.settings import PREFIX, Settings

_OPERATOR = Client("operator", "operator", Role.OPERATOR)
_TOLD_EVERY = 0.1
"""Where nobody watches a bar, the share of the month after which a line says how far it has come."""

_PAGES = (
    ("/console", "what needs somebody: overdue AppRecs, messages given up, a mailbox that nobody empties"),
    ("/console/messages?state=rejected", "negative AppRecs, some of which nobody has looked at"),
    ("/console/parties", "how each organisation stands; Myrnes has stopped fetching, Lyngås answers slowly"),
    ("/console/routes", "one route that is down, and one that is parked"),
    ("/console/audit/readings", "who has read what"),
)


@dataclass(frozen=True, slots=True)
class Busy:
    """About how many messages, and whether what the folder holds is deleted first; `seed` decides all the rest."""

    messages: int
    fresh: bool = False
    seed: int = 1

    folder: ClassVar[Path] = Path("demo-busy")

    def settings(self) -> Mapping[str, Any]:
        """Give the settings that the region needs."""
        return settings_of_routes()

    def cast(self) -> Cast:
        """Name who is let in beside the region: an operator, whose key is told."""
        return Cast((), (_OPERATOR,))

    async def prepare(self, folder: DemoFolder, settings: Settings, stop: asyncio.Event) -> bool:
        """Fill the exchange unless it was filled before; False when it was stopped half-way.

        Raises ConfigurationError when the database holds a part of a month, or other parties' messages.
        """
        logs.write_to(sys.stderr, level="error", form=None)
        if self.fresh:
            folder.clear()
        database = hashlib.sha256(settings.database_url.encode()).hexdigest()
        if _filled(folder, database):
            _say("The folder holds a month already; --fresh makes it anew.")
            return True
        began = time.monotonic()
        _say(f"A month of about {self.messages} messages is played through the exchange, each at its time.")
        taken = await self._fill(settings, stop)
        if taken is None:
            return False
        _write_environment(folder, settings)
        folder.month.write_text(json.dumps({"database": database, "messages": taken, "seed": self.seed}) + "\n")
        _say(f"{taken} messages, AppRecs among them, in {time.monotonic() - began:.0f} s.")
        return True

    async def _fill(self, settings: Settings, stop: asyncio.Event) -> int | None:
        with _Progress() as progress:
            filling = asyncio.create_task(
                fill(settings, seed=self.seed, messages=self.messages, tell=progress.tell), name="fill"
            )
            stopping = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait({filling, stopping}, return_when=asyncio.FIRST_COMPLETED)
                return filling.result() if filling.done() else None
            finally:
                for task in (filling, stopping):
                    task.cancel()
                await asyncio.gather(filling, stopping, return_exceptions=True)

    def tour(self, base_url: str, folder: DemoFolder, person: Person, guests: list[Guest]) -> None:
        """Say where to look, and how to get in."""
        _say(
            f"\n[bold]Samhandling[/] answers at {base_url}. Sign in at {base_url}/sign-in as [cyan]{person.name}[/] "
            f"with the passphrase [cyan]{person.passphrase}[/] (it holds for this run)."
        )
        for path, what in _PAGES:
            _say(f"  {base_url}{path:34} {what}")
        for guest in guests:
            _say(f"The key of [cyan]{guest.name}[/]: {guest.key}")
        _say("\nOther commands see the same exchange, in another terminal:")
        _say(f"  set -a; . {shlex.quote(str(folder.environment))}; samhandling audit verify")
        _say("Serving until Ctrl-C.")


def _write_environment(folder: DemoFolder, settings: Settings) -> None:
    """Write the settings down as a shell reads them, and readable to us alone: a database's URL may hold a password."""
    told = {
        "database_url": settings.database_url,
        "key_file": str(settings.key_file),
        **{name: json.dumps(value) for name, value in settings_of_routes().items()},
    }
    lines = [f"{PREFIX}{name.upper()}={shlex.quote(value)}\n" for name, value in told.items()]
    folder.environment.touch(mode=0o600)
    folder.environment.write_text("".join(lines), "utf-8")


def _filled(folder: DemoFolder, database: str) -> bool:
    try:
        return bool(json.loads(folder.month.read_text("utf-8"))["database"] == database)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False


def _say(text: str) -> None:
    Console(highlight=False).print(text, soft_wrap=True)


class _Progress:
    """Shows how far the month has come: a bar in a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, transient=True) if sys.stdout.isatty() else None
        self._task = self._bar.add_task("The first day", total=1) if self._bar else None
        self._told = 0.0

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def tell(self, share: float, messages: int) -> None:
        """Hear how much of the month is over."""
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=share, description=f"{messages} messages")
        elif share - self._told >= _TOLD_EVERY:
            self._told = share
            _say(f"  {share:.0%} of the month, {messages} messages")
