"""F4: the power is cut while documents are accepted, and all of them are there when it is back.

`make power-cut`, as root, where loop mounts and XFS are at hand. The database lies on an ext4 of its own, whose image
is a file on an XFS. At the cut all processes stand still, and the image is copied at that instant (reflink): what the
kernel had not been told to write is not in the copy. The copy is mounted as after a crash, and the exchange is started
on it. What a disk forgets that has said it had written is not tried. The same is done with databases that do not wait
for the disk; unless those lose something, nothing is proven.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from faults import careless
from faults.processes import Instance, house
from faults.storm import registered
from faults.terms import hurried
from faults.traffic import document
from faults.unsteady import Postgres, postgres
from sqlalchemy import select

from messaging.http import AsyncClient, HTTPError
from messaging.model.sight import EVERYTHING
from messaging.settings import Settings
from messaging.store import tables as t
from messaging.store.session import Database

SENDERS = 4
CARELESS = str(Path(__file__).with_name("careless.py"))
XML = {"Content-Type": "application/xml"}
_ACCEPTED = 202


@dataclass(frozen=True, slots=True)
class Kind:
    """A database, and whether its commits wait for the disk."""

    name: str
    is_sqlite: bool
    is_careful: bool
    options: Sequence[str] = ()


KINDS = (
    Kind("SQLite", is_sqlite=True, is_careful=True),
    Kind("SQLite, synchronous=OFF", is_sqlite=True, is_careful=False),
    Kind("PostgreSQL", is_sqlite=False, is_careful=True),
    Kind("PostgreSQL, fsync=off", is_sqlite=False, is_careful=False, options=("-c", "fsync=off")),
)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - mount and its like


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[Path]:
    """Mount an image for as long as the block lasts."""
    place.mkdir(exist_ok=True)
    _run("mount", "-o", "loop", str(image), str(place))
    try:
        yield place
    finally:
        _run("umount", str(place))


@contextmanager
def disks(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Give an empty disk that can be copied in an instant: its image, and where it is mounted."""
    outer = folder / "outer.img"
    _run("truncate", "-s", "2G", str(outer))
    _run("mkfs.xfs", "-q", "-m", "reflink=1", str(outer))
    with mounted(outer, folder / "outer") as place:
        inner = place / "inner.img"
        _run("truncate", "-s", "600M", str(inner))
        _run("mkfs.ext4", "-q", str(inner))
        with mounted(inner, folder / "disk") as disk:
            yield inner, disk


async def send(instance: Instance, key: str, accepted: list[str]) -> None:
    """Send one document after the other until nobody answers any more."""
    with suppress(HTTPError):
        async with AsyncClient(base_url=instance.url, headers={"Authorization": f"Bearer {key}"}, timeout=5) as client:
            while True:
                answer = await client.post("/documents", content=document(str(uuid4())), headers=XML)
                if answer.status_code == _ACCEPTED:
                    accepted.append(answer.json()["id"])


async def cut(kind: Kind, folder: Path, seconds: float) -> tuple[int, int]:
    """Cut the power once; gives how many documents had been accepted, and how many of them are lost."""
    with ExitStack() as stack:
        image, disk = stack.enter_context(disks(folder))
        server = stack.enter_context(postgres(_data(disk), options=kind.options)) if not kind.is_sqlite else None
        settings = hurried(_url(disk, server), folder)
        keys = await registered(settings)
        _run("sync", "-f", str(disk))  # who takes part has been registered long before
        accepted: list[str] = []
        program = (
            (sys.executable, "-m", "messaging", "serve") if kind.is_careful else (sys.executable, CARELESS, "serve")
        )
        async with house(settings, folder, instances=0) as served:
            instance = served.instance(program=program)
            await instance.start()
            sending = [asyncio.create_task(send(instance, keys["sykehus"], accepted)) for _ in range(SENDERS)]
            await asyncio.sleep(seconds)
            instance.pause()
            for pid in server.pids if server else ():
                os.kill(pid, signal.SIGSTOP)
            known = list(accepted)
            copied = image.with_name("cut.img")
            _run("cp", "--reflink=always", str(image), str(copied))
            for pid in server.pids if server else ():
                os.kill(pid, signal.SIGKILL)
            if server is not None:
                await asyncio.to_thread(server.stop_at_once)  # so that its number is nobody's any more
            await instance.kill()
            for one in sending:
                one.cancel()
            await asyncio.gather(*sending, return_exceptions=True)
        with mounted(copied, folder / "afterwards") as back:
            there = await kept(kind, back, folder)
    return len(known), len({UUID(one) for one in known} - there)


def _data(disk: Path) -> Path:
    disk.chmod(0o755)
    data = disk / "data"
    data.mkdir(mode=0o700, exist_ok=True)
    return data


def _url(disk: Path, server: Postgres | None) -> str:
    return server.url if server else f"sqlite:///{disk}/samhandling.db"


async def kept(kind: Kind, disk: Path, folder: Path) -> set[UUID]:
    """Start the exchange on what is left, and read which messages are there; none where it does not start."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(postgres(_data(disk), is_new=False)) if not kind.is_sqlite else None
            settings = hurried(_url(disk, server), folder)
            async with house(settings, folder):
                return await _messages(settings)
        except AssertionError:
            if kind.is_careful:
                raise
            return set()


async def _messages(settings: Settings) -> set[UUID]:
    database = Database(settings.database_url, pool_size=2)
    try:
        async with database.read(EVERYTHING) as tx:
            return set(await tx.scalars(select(t.message.c.id)))
    finally:
        await database.close()


async def main() -> int:
    """Cut the power as often as asked, on each kind; 1 when something was lost, or a control lost nothing."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cuts", type=int, default=5)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))  # noqa: S311 - no secret
    asked = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("Cutting the power takes loop mounts, and those take root.")
    draw = random.Random(asked.seed)  # noqa: S311
    careless.be_careless()  # this process too, to register who takes part on the controls
    failed = False
    sys.stdout.write(f"seed {asked.seed}\n")
    for kind in KINDS:
        accepted = lost = 0
        for _ in range(asked.cuts):
            with tempfile.TemporaryDirectory(prefix="samhandling-cut-") as made:
                os.chmod(made, 0o755)  # noqa: PTH101, S103 - PostgreSQL runs as another user
                some = await cut(kind, Path(made), draw.uniform(1.5, 3))
                accepted, lost = accepted + some[0], lost + some[1]
        failed = failed or (lost > 0 if kind.is_careful else lost == 0)
        sys.stdout.write(f"{kind.name}: {asked.cuts} cuts, {accepted} accepted, {lost} lost\n")
        sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
