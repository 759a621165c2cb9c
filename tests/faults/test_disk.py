"""F5, F6, F24: the disk fails, is full, or is slow; nobody is told that something is kept which is not."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults.evidence import OK, Evidence
from faults.processes import House
from faults.storm import Conditions, Storm, weather
from faults.terms import hurried
from faults.traffic import until
from faults.unsteady import postgres

from messaging.http import AsyncClient
from world import Databases

_SYNCS = "fdatasync,fsync"


def succeeds(*command: str) -> bool:
    return not subprocess.run(command, capture_output=True, check=False).returncode  # noqa: S603 - our own words


def can_trace() -> bool:
    strace = shutil.which("strace")
    return strace is not None and succeeds(strace, "-qq", "true")


needs_strace = pytest.mark.skipif(not can_trace(), reason="strace is not here, or may not trace: install it")


def injected(database: Path, trace: Path, calls: str, what: str) -> list[str]:
    """Say how strace lets calls on a database's files go wrong."""
    files = [option for end in ("", "-wal", "-journal") for option in ("-P", f"{database}{end}")]
    return [
        "strace",
        "-f",
        "-qq",
        "-ttt",
        "-o",
        str(trace),
        *files,
        "-e",
        f"trace={_SYNCS},{calls}",
        "-e",
        f"inject={calls}:{what}",
    ]


def traced(trace: Path) -> list[tuple[float, str, bool]]:
    """Read a trace: when, which call, and whether strace let it go wrong or be late."""
    found = []
    for line in trace.read_text("utf-8", "replace").splitlines():
        words = line.split(maxsplit=2)
        if len(words) < 3 or "unfinished" in line or "(" not in words[2]:
            continue
        call = words[2].removeprefix("<... ").replace(" resumed", "(").partition("(")[0]
        found.append((float(words[1]), call, "(INJECTED)" in line or "(DELAYED)" in line))
    return found


def told_in_vain(folder: Path, trace: Path) -> list[str]:
    """Name what was accepted while the disk failed, between an error and the next sync that succeeded."""
    calls = traced(trace)
    spans = []
    for number, (at, _, failed) in enumerate(calls):
        if failed:
            good = next((when for when, call, bad in calls[number:] if call in _SYNCS.split(",") and not bad), None)
            spans.append((at, good or time.time()))
    posts = [row for row in Evidence.of(folder).operations if row["op"] == "post" and row["outcome"] == OK]
    return [row["msg_id"] for row in posts for begin, end in spans if begin < row["start"] and row["end"] < end]


def is_whole(database: Path) -> bool:
    with sqlite3.connect(database) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok")


def answered(storm: Storm, status: int) -> int:
    return sum(one.answers[status] for one in storm.senders)


@needs_strace
@pytest.mark.parametrize(
    "wrong",
    [(_SYNCS, "error=EIO:when=25..60"), ("pwrite64", "error=ENOSPC:when=120..180")],
    ids=["no sync", "no space"],
)
async def test_f5_nobody_is_told_that_a_document_is_kept_while_the_disk_fails(
    databases: Databases, folder: Path, draw: random.Random, tmp_path: Path, wrong: tuple[str, str]
) -> None:
    settings = hurried(await databases.sqlite(), folder)
    database, trace = Path(settings.database_url.removeprefix("sqlite:///")), tmp_path / "trace"

    async def start(served: House) -> None:
        await served.instance(before=injected(database, trace, *wrong)).start()

    async def wait(storm: Storm) -> None:
        while not storm.over.is_set():
            await asyncio.sleep(0.2)
            storm.strikes = sum(failed for _, _, failed in traced(trace))

    async def restart(storm: Storm) -> None:
        (one,) = storm.house.instances
        await one.stop()
        one.before = ()
        await one.start()

    terms = Conditions(start=start, calm_by=restart, least=20, resources=False)
    found, storm = await weather(settings, folder, draw, wait, terms)
    assert found == []
    assert storm.strikes >= 20
    assert answered(storm, 503) > 0
    assert told_in_vain(folder, trace) == []
    assert is_whole(database)
    assert sum(len(one.accepted) for one in storm.senders) > 0


@needs_strace
async def test_f24_a_slow_disk_slows_everybody_and_fails_nobody(
    databases: Databases, folder: Path, draw: random.Random, tmp_path: Path
) -> None:
    settings = hurried(await databases.sqlite(), folder)
    database, trace = Path(settings.database_url.removeprefix("sqlite:///")), tmp_path / "trace"

    async def start(served: House) -> None:
        await served.instance(before=injected(database, trace, _SYNCS, "delay_exit=200000")).start()

    async def wait(storm: Storm) -> None:
        await storm.over.wait()
        storm.strikes = sum(slow for _, _, slow in traced(trace))

    async def restart(storm: Storm) -> None:
        (one,) = storm.house.instances
        await one.stop()
        one.before = ()
        await one.start()

    terms = Conditions(start=start, calm_by=restart, resources=False)
    found, storm = await weather(settings, folder, draw, wait, terms)
    assert found == []
    assert storm.strikes >= 10
    accepted = sum(len(one.accepted) for one in storm.senders)
    assert accepted > 0
    assert {status for one in storm.senders for status in one.answers} <= {200, 202, 409}


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Give a file system of its own, so small; skips where nobody may mount."""
    place = folder / "small-disk"
    place.mkdir(mode=0o755)
    mount = ("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "tmpfs", str(place))
    if os.geteuid() != 0 or not succeeds(*mount):
        pytest.skip("a small file system cannot be mounted here: run as root")
    try:
        yield place
    finally:
        assert succeeds("umount", "--lazy", str(place))


def fill(place: Path, *, leave: int) -> Path:
    """Fill a file system with one file, and leave so many bytes."""
    ballast = place / "ballast"
    with ballast.open("wb") as file:
        while (free := shutil.disk_usage(place).free) > leave:
            try:
                file.write(b"\0" * min(1 << 16, max(free - leave, 1)))
                file.flush()
            except OSError:
                break
    return ballast


async def until_it_says_no(storm: Storm, more: Callable[[], bool] = lambda: False) -> bool:
    """Wait until three more documents were not taken; False when the storm is over first, and nobody sends any more."""
    before = answered(storm, 503)

    async def said_no() -> bool:
        return answered(storm, 503) >= before + 3 or more()

    async def no() -> bool:
        return storm.over.is_set() or await said_no()

    assert await until(no, within=60, every=0.05)
    return await said_no()


@pytest.mark.parametrize("reserve", [4 << 20, 0], ids=["with a reserve", "without a reserve"])
async def test_f6_a_full_disk_stops_what_comes_in_and_loses_nothing(
    databases: Databases, folder: Path, draw: random.Random, tmp_path: Path, reserve: int
) -> None:
    with small_disk(tmp_path, 32) as place:
        database = place / "samhandling.db"
        shutil.copyfile((await databases.sqlite()).removeprefix("sqlite:///"), database)

        async def fill_up(storm: Storm) -> None:
            while not storm.over.is_set():
                ballast = fill(place, leave=reserve // 2)
                struck = await until_it_says_no(storm)
                if reserve and struck:
                    await still_serves(storm)
                ballast.unlink()
                if struck:
                    storm.struck()
                await asyncio.sleep(draw.uniform(0.5, 1))

        settings = hurried(f"sqlite:///{database}", folder, disk_reserve_bytes=reserve)
        found, storm = await weather(settings, folder, draw, fill_up, Conditions(least=2))
        assert found == []
        assert storm.strikes >= 2
        assert answered(storm, 503) >= 6
        assert is_whole(database)
        assert sum(len(one.accepted) for one in storm.senders) > 0


async def still_serves(storm: Storm) -> None:
    """See that with its reserve used up it still lets messages be collected, and says why it takes none."""
    (one,) = storm.house.instances
    async with AsyncClient(timeout=15, headers=dict(storm.senders[0].http.headers)) as client:
        unready = await client.get(f"{one.url}/health/ready")
        assert unready.status_code == 503
        assert "disk: it is nearly full" in unready.text
        for accepted in list(storm.senders[0].accepted.values())[:1]:
            assert (await client.get(f"{one.url}/documents/{accepted}")).is_success


async def test_f6_it_recovers_when_postgresql_has_room_again(
    folder: Path, draw: random.Random, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("pg")
    for one in (outside, *outside.parents):
        if one.is_relative_to(tmp_path_factory.getbasetemp().parent.parent):
            one.chmod(one.stat().st_mode | 0o055)  # the server runs as another user
    with small_disk(outside, 160) as place:
        data = place / "data"
        data.mkdir()
        with postgres(data) as server:
            databases = await asyncio.to_thread(Databases, server.url, outside)

            async def fill_up(storm: Storm) -> None:
                while not storm.over.is_set():
                    ballast = fill(place, leave=0)
                    struck = await until_it_says_no(storm, lambda: not server.runs)
                    ballast.unlink()
                    begun = time.monotonic()
                    if not server.runs:
                        await asyncio.to_thread(server.start)
                    for one in storm.house.instances:
                        await one.ready()
                    if struck:
                        storm.recoveries.append(time.monotonic() - begun)
                        storm.struck()
                    await asyncio.sleep(draw.uniform(0.5, 1))

            settings = hurried(await databases.postgresql(), folder)
            found, storm = await weather(settings, folder, draw, fill_up, Conditions(least=2))
    assert found == []
    assert storm.strikes >= 2
    assert answered(storm, 503) > 0
    assert sum(len(one.accepted) for one in storm.senders) > 0
