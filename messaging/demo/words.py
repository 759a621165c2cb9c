"""What the demo says on the terminal."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.console import Console
from rich.table import Table

import fixtures
from messaging.demo.person import Person
from messaging.demo.play import Played, Row
from messaging.demo.systems import Hospital, Municipality, Practice
from messaging.demo.world import Guest
from messaging.model.clock import system_clock

_WIDE = 200
"""Columns where nobody looks, such as a file: a table is not to be broken there."""

_DOORS = {"sykehus": Hospital, "kommune": Municipality, "lege": Practice}

_ADDRESSES = (
    ("/documents", "plain XML; with /validate and /operations in /openapi.json"),
    ("/messages", "EDI 2.0, by the header api-version: /openapi/edi-v3.json, /openapi/edi-v2.json"),
    ("/operations/messages", "how every message stands"),
    ("/health/ready", "whether the exchange can take messages in"),
)


class Words:
    """Says what happens, in one line each."""

    def __init__(self, base_url: str, guests: list[Guest], person: Person, *, issuer: str | None = None) -> None:
        terminal = Console(highlight=False)
        self._console = terminal if terminal.is_terminal else Console(highlight=False, width=_WIDE)
        self._base_url = base_url
        self._issuer = issuer
        self._guests = guests
        self._person = person
        self._names = {party.her_id: party.name for party in fixtures.parties()}

    def idle(self, announcement: Path) -> None:
        """Say where the exchange answers, and where its keys are."""
        self._say(f"Samhandling answers at {self._base_url}; its keys are in {announcement}.")

    def opening(self) -> None:
        """Say who takes part, and through which door."""
        self._say(
            f"[bold]Samhandling[/] answers at {self._base_url}. One patient's stay, through the public HTTP API:\n"
        )
        for name, door in _DOORS.items():
            self._say(f"  [cyan]{name:8}[/] sends by {door.sends_by}, receives by {door.receives_by}")
        if self._issuer:
            self._say(f"\nEach calls with an access token from {self._issuer}, bound to a key of its own (DPoP).")
        self._say("")

    def step(self, done: Played) -> None:
        """Tell one step: what, from whom to whom, and the AppRecs that came back."""
        step = done.step
        clock = f"{system_clock().astimezone():%H:%M:%S}"
        to = " and ".join(self._name(her_id) for her_id in step.receiver_her_ids)
        appreces = ", ".join(standing.apprec or "none" for standing in done.standings)
        self._say(
            f"{step.number:2}  [dim]{clock}[/]  [bold]{step.title}[/]  {self._name(step.sender_her_id)} → {to}  "
            f"[green]AppRec {appreces}[/] [dim]after {done.seconds * 1000:.0f} ms[/]"
        )

    def summary(self, rows: list[Row]) -> None:
        """Show every message at every receiver, and how it ended."""
        table = Table(title="Messages and their states", title_justify="left")
        for heading in ("#", "Type", "From", "To", "Transport", "AppRec", "Delivery", "Timeline"):
            table.add_column(heading, overflow="fold", justify="right" if heading in ("#", "Timeline") else "left")
        for row in rows:
            table.add_row(
                str(row.step.number),
                row.step.type,
                self._name(row.step.sender_her_id),
                self._name(row.receiver),
                row.transport,
                row.apprec,
                row.state,
                f"{row.timeline} lines",
            )
        self._say("")
        self._console.print(table)

    def verdict(self, wrong: list[str], *, messages: int) -> None:
        """Say whether every message ended as the script wants it, or which did not."""
        if not wrong:
            self._say(f"[green]All {messages} messages ended acknowledged, byte for byte as they were sent.[/]")
        for sentence in wrong:
            self._console.print(sentence, style="red", markup=False, soft_wrap=True)

    def invitation(self, document: Path) -> None:
        """Show the addresses, the keys, and three commands to try."""
        keys = {guest.name: guest.key for guest in self._guests}
        self._say("\nKeys of this demo (each for its own parties; `operator` sees how every message stands):")
        for guest in self._guests:
            her_ids = ", ".join(str(party.her_id) for party in guest.parties) or "every message"
            self._say(f"  [cyan]{guest.name:8}[/] {guest.key}  [dim]{her_ids}[/]")
        self._say(
            f"\nSign in at {self._base_url}/sign-in as [cyan]{self._person.name}[/] with the passphrase "
            f"[cyan]{self._person.passphrase}[/] (it holds for this run)."
        )
        self._say("\nTry, in another terminal:")
        for command in self._commands(keys, document):
            self._console.print(f"  {command}", markup=False, soft_wrap=True)
        self._say("\nAddresses, and what describes them in OpenAPI:")
        for path, what in _ADDRESSES:
            self._say(f"  {self._base_url}{path:24} {what}")
        self._say("Serving until Ctrl-C.")

    def _commands(self, keys: dict[str, str], document: Path) -> list[str]:
        url, edi = self._base_url, "-H 'api-version: 3' -H 'nhn-source-system: curl'"
        post = f"-H 'Content-Type: application/xml' --data-binary @{shlex.quote(str(document))}"
        return [
            f"curl -i -H 'Authorization: Bearer {keys['sykehus']}' {post} {url}/documents",
            f"curl -H 'Authorization: Bearer {keys['kommune']}' {edi} '{url}/notifications/unread?HerIds=8110001'",
            f"curl -H 'Authorization: Bearer {keys['operator']}' {url}/operations/messages",
        ]

    def _name(self, her_id: int) -> str:
        return self._names.get(her_id, str(her_id))

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)
