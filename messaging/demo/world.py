"""The demo's folder, and who takes part: parties, clients and their keys."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import fixtures
from fixtures.stay import stay
from messaging.demo.auth import ByKey
from messaging.errors import ConfigurationError, Unauthenticated
from messaging.flow import clients, inspect
from messaging.flow.authenticate import authenticate
from messaging.flow.exchange import Exchange
from messaging.http import Auth
from messaging.model.access import Role
from messaging.model.clock import system_clock
from messaging.model.credentials import Credentials
from messaging.model.party import Client, Party

_ACTOR = "demo"
_OURS = ("samhandling.db*", "samhandling*.key", "samhandling*.anchor", "demo.json*", "month.json", "settings.env")
_DEMO = Client(_ACTOR, _ACTOR, Role.ADMIN)


@dataclass(frozen=True, slots=True)
class Guest:
    """One simulated organisation's system: its client, the parties it acts for, and its API key."""

    client: Client
    parties: tuple[Party, ...]
    key: str
    auth: Auth
    """What says who calls, with each request."""

    @property
    def name(self) -> str:
        """The client's id, such as `sykehus`."""
        return self.client.id

    def as_json(self) -> dict[str, Any]:
        """Tell it as demo.json does."""
        return {
            "name": self.name,
            "key": self.key,
            "parties": [
                {"her_id": party.her_id, "parent_her_id": party.parent_her_id, "name": party.name}
                for party in self.parties
            ],
        }


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """The folder that one running demo holds: database, key file, and demo.json while the demo is ready."""

    path: Path

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[DemoFolder]:
        """Make the folder and hold it. Raises ConfigurationError when it cannot be written, or another demo has it."""
        try:
            path = path.resolve()
            path.mkdir(parents=True, exist_ok=True)
            lock = (path / "demo.lock").open("w")
        except OSError as error:
            raise ConfigurationError(
                f"The data folder {path} cannot be used: {error.strerror}. Name one that you may write to with --data."
            ) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ConfigurationError(
                    f"Another demo runs on {path}. Stop it first, or name another folder with --data."
                ) from error
            yield cls(path)

    @property
    def sqlite_url(self) -> str:
        """The database when none is named."""
        return f"sqlite:///{self.path / 'samhandling.db'}"

    @property
    def key_file(self) -> Path:
        """The secret that keys the hashes of API keys."""
        return self.path / "samhandling.key"

    @property
    def announcement(self) -> Path:
        """The file that is there as long as the demo is ready, unless the demo was killed."""
        return self.path / "demo.json"

    @property
    def month(self) -> Path:
        """The file that says which database holds a whole month of made-up messages."""
        return self.path / "month.json"

    @property
    def environment(self) -> Path:
        """The settings of the month's exchange, for the shell of whoever looks into it with other commands."""
        return self.path / "settings.env"

    def clear(self) -> None:
        """Delete what a demo has put here, and nothing else."""
        for pattern in _OURS:
            for path in self.path.glob(pattern):
                path.unlink()

    @property
    def _previous(self) -> Path:
        return self.path / "demo.json.previous"

    def take_keys(self) -> dict[str, str]:
        """Read the keys of an earlier run by client; its demo.json is put aside, since nothing is ready yet."""
        with suppress(FileNotFoundError):
            self.announcement.replace(self._previous)
        try:
            told = json.loads(self._previous.read_text("utf-8"))
            return {str(client["name"]): str(client["key"]) for client in told["clients"]}
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return {}

    @contextmanager
    def announced(self, about: dict[str, Any], *, guests: list[Guest]) -> Iterator[None]:
        """Keep demo.json there for as long as the block lasts; afterwards its keys are put aside for the next run."""
        told = {**about, "clients": [guest.as_json() for guest in guests]}
        self._write(json.dumps(told, ensure_ascii=False, indent=2))
        self._previous.unlink(missing_ok=True)
        try:
            yield
        finally:
            self.announcement.replace(self._previous)

    def _write(self, text: str) -> None:
        """Write demo.json whole or not at all, and readable to us alone: it holds keys."""
        with NamedTemporaryFile("w", dir=self.path, prefix="demo.json.", delete=False, encoding="utf-8") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(self.announcement)

    def write_document_to_try(self) -> Path:
        """Write a document that nobody has sent yet, for whoever wants to send it."""
        path = self.path / "innlagt.xml"
        path.write_bytes(stay(system_clock())[0].content)
        return path


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part in a demo."""

    parties: tuple[Party, ...]
    clients: tuple[Client, ...]


def cast_of_the_stay() -> Cast:
    """Name the three organisations of the stay, and the operator."""
    return Cast(tuple(fixtures.parties()), tuple(fixtures.clients()))


async def enrol(exchange: Exchange, known_keys: dict[str, str], cast: Cast) -> list[Guest]:
    """Register the parties and clients that are new here, and keep the keys that still open the door."""
    listed = {party.her_id: party for party in cast.parties}
    keys = {
        client.id: known_keys[client.id]
        for client in cast.clients
        if await _opens(exchange, client, known_keys.get(client.id, ""))
    }
    if len(keys) < len(cast.clients):
        await clients.register_parties(exchange, list(listed.values()), actor=_ACTOR)
    known = {client.id for client in await inspect.every_client(exchange, _DEMO)}
    for client in cast.clients:
        if client.id in known and client.id not in keys:  # its key is lost, and two more would be one too many
            await clients.revoke(exchange, _DEMO, client.id)
    guests = []
    for client in cast.clients:
        key = keys.get(client.id) or await clients.register_client(exchange, client, actor=_ACTOR)
        guests.append(Guest(client, tuple(listed[her_id] for her_id in sorted(client.her_ids)), key, ByKey(key)))
    return guests


async def _opens(exchange: Exchange, client: Client, key: str) -> bool:
    try:
        carried = Credentials(exchange.clock(), authorization=(f"Bearer {key}",))
        return await authenticate(exchange, carried) == client
    except Unauthenticated:
        return False
