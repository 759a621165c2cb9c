"""The table of docs/performance.md, each row a ratio or a time of one run: `python -m benchmarks.table [URL …]`.

`--rounds 5 --seconds 4` is how often and how long; `--write` puts the table and the chart into docs/. `sqlite` is a new
SQLite file; a URL of PostgreSQL is a superuser's, and each round takes a database of its own. The server has one core,
the load generator another; what a row compares takes turns within a round. Everything is durable, and all of trust is
switched on, unless the row says otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen
from uuid import uuid4

import asyncpg
from sqlalchemy.engine import make_url

from benchmarks.cycles import GP, asking_for_many, cycles, told_of, waiting
from benchmarks.load import document_of, drive, posts
from benchmarks.report import Row, line, write
from benchmarks.routes import FIRST, MANY, far_sides, pushed
from benchmarks.trust import served

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "dist" / "bench.json"
_ACCEPTED = 202
_STREAMS = 500
_SETTLED = 25.0
"""Seconds after which a stream looks into the database no more often than it sends heartbeats."""
_TRUST = ("authentication", "encryption", "sealing")


@dataclass(frozen=True, slots=True)
class Measures:
    """How long a round is, and how many there are."""

    rounds: int
    seconds: float


@contextmanager
def _database(url: str, folder: Path) -> Iterator[str]:
    """Give an empty database: a new SQLite file, or a new one on a PostgreSQL server."""
    if not url:
        yield f"sqlite:///{folder}/{uuid4().hex}.db"
        return
    name = f"bench_{uuid4().hex}"
    _run(url, f'CREATE DATABASE "{name}"')
    try:
        yield make_url(url).set(database=name).render_as_string(hide_password=False)
    finally:
        _run(url, f'DROP DATABASE "{name}" WITH (FORCE)')


def _run(url: str, statement: str) -> None:
    with ThreadPoolExecutor(1) as apart:  # a loop may run here already
        apart.submit(asyncio.run, _execute(url, statement)).result()


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _accepted(told: dict[str, Any], seconds: float, size: int = 4_000) -> float:
    """Measure documents accepted per second on 32 connections, after a warm-up."""
    _, document = document_of(size)
    make = posts("/documents", {"Authorization": f"Bearer {told['key']}"}, document)
    asyncio.run(drive(told["host"], told["port"], make, seconds=seconds / 4))
    answers = asyncio.run(drive(told["host"], told["port"], make, seconds=seconds))
    if set(answers.statuses) != {_ACCEPTED}:
        raise SystemExit(f"not every document was accepted: {dict(answers.statuses)}")
    return answers.per_second(_ACCEPTED)


@contextmanager
def _serving(url: str, without: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        _database(url, Path(folder)) as database,
        served(database, Path(folder), without) as told,
    ):
        yield told


def _named(url: str) -> str:
    return "PostgreSQL" if url else "SQLite"


def _told(figures: list[float], name: str) -> str:
    return f"{median(figures):.0f} {name} a second"


def against_the_limit(url: str, measures: Measures, size: int = 4_000) -> Row:
    """Measure documents accepted against the same server that only reads and judges them."""
    ours, limits = [], []
    for _ in range(measures.rounds):
        with _serving(url) as told:
            ours.append(_accepted(told, measures.seconds, size))
        with _serving(url, ("keeping",)) as told:
            limits.append(_accepted(told, measures.seconds, size))
    return Row(
        f"documents of {size // 1000} kB accepted per second, 32 connections",
        "the same server that reads and judges them and keeps nothing",
        _named(url),
        "",
        0.6 if url else 0.5,
        at_least=True,
        rounds=tuple(one / limit for one, limit in zip(ours, limits, strict=True)),
        beside=f"{_told(ours, 'accepted')}, {_told(limits, 'judged')}",
    )


def with_trust(url: str, measures: Measures) -> Row:
    """Measure what authentication, encryption and sealing leave."""
    ours, bare = [], []
    for _ in range(measures.rounds):
        with _serving(url) as told:
            ours.append(_accepted(told, measures.seconds))
        with _serving(url, _TRUST) as told:
            bare.append(_accepted(told, measures.seconds))
    return Row(
        "documents accepted per second, with all of trust",
        "without authentication, encryption and sealing",
        _named(url),
        "",
        0.75,
        at_least=True,
        rounds=tuple(one / other for one, other in zip(ours, bare, strict=True)),
        beside=f"{_told(ours, 'with')}, {_told(bare, 'without')}",
    )


def whole_cycles(url: str, measures: Measures) -> tuple[Row, Row]:
    """Measure whole cycles against documents accepted, and how soon a waiting receiver is told at half that load."""
    ratios, figures, accepted, delays = [], [], [], []
    for _ in range(measures.rounds):
        with _serving(url) as told:
            accepted.append(_accepted(told, measures.seconds))
        with _serving(url) as told:
            asyncio.run(cycles(told, seconds=measures.seconds / 4))
            figures.append(asyncio.run(cycles(told, seconds=measures.seconds)).per_second(200))
            ratios.append(figures[-1] / accepted[-1])
        with _serving(url) as told:
            half = accepted[-1] / 2
            delays.append(asyncio.run(told_of(told, per_second=half, seconds=measures.seconds)).latency(0.99) * 1000)
    return (
        Row(
            "whole cycles per second: handed in, told of, fetched, answered, the answer seen",
            "documents accepted per second",
            _named(url),
            "",
            0.2,
            at_least=True,
            rounds=tuple(ratios),
            beside=f"{_told(figures, 'cycles')}",
        ),
        Row(
            "from the 202 to the notification of a waiting receiver, 99 of 100, at half the top load",
            "",
            _named(url),
            "ms",
            50,
            at_least=False,
            rounds=tuple(delays),
        ),
    )


def beside_streams(url: str, measures: Measures) -> Row:
    """Measure documents accepted while 500 streams are open and somebody polls for 1,500 HER-ids, against none."""
    ratios = []

    async def with_streams(told: dict[str, Any]) -> float:
        async with waiting(told, told["keys"]["lege"], [GP], streams=_STREAMS):
            await asyncio.sleep(_SETTLED)
            async with asking_for_many(told, told["keys"]["region"]):
                return await asyncio.to_thread(_accepted, told, measures.seconds)

    for _ in range(measures.rounds):
        with _serving(url, ("crowd",)) as told:
            alone = _accepted(told, measures.seconds)
        with _serving(url, ("crowd",)) as told:
            ratios.append(asyncio.run(with_streams(told)) / alone)
    return Row(
        f"documents accepted per second beside {_STREAMS} streams that wait and a poll for 1,500 HER-ids each second",
        "without them",
        _named(url),
        "",
        0.9,
        at_least=True,
        rounds=tuple(ratios),
    )


def beside_a_silent_route(url: str, measures: Measures) -> Row:
    """Measure what far sides are pushed per second while one of fifty takes and never answers, against none."""

    async def got(silent: int | None) -> float:
        async with far_sides(silent=silent) as far:
            with _serving(url, (f"routes:{far.port}",)) as told:
                await pushed(told, far, seconds=measures.seconds / 4)
                return await pushed(told, far, seconds=measures.seconds)

    ratios, alone = [], []
    for _ in range(measures.rounds):
        alone.append(asyncio.run(got(None)) * (MANY - 1) / MANY)
        ratios.append(asyncio.run(got(FIRST)) / alone[-1])
    return Row(
        f"messages pushed per second to {MANY - 1} far sides, beside one that takes and never answers",
        "the same when all answer",
        _named(url),
        "",
        0.95,
        at_least=True,
        rounds=tuple(ratios),
        beside=_told(alone, "pushed"),
    )


def starts(url: str, measures: Measures) -> tuple[Row, Row]:
    """Measure the time from the start of a process until it says that it is ready, also after it was killed."""
    first, again = [], []
    for _ in range(measures.rounds):
        with tempfile.TemporaryDirectory() as folder, _database(url, Path(folder)) as database:
            for figures in (first, again):
                process, took = _started(database, Path(folder))
                figures.append(took)
                process.send_signal(signal.SIGKILL)
                process.wait()
    names = ("from the start to ready, on a new database", "from the start to ready, after it was killed")
    return (
        Row(names[0], "", _named(url), "s", 2, at_least=False, rounds=tuple(first)),
        Row(names[1], "", _named(url), "s", 5, at_least=False, rounds=tuple(again)),
    )


def _started(database: str, folder: Path) -> tuple[subprocess.Popen[bytes], float]:
    environment = {**os.environ, "SAMHANDLING_DATABASE_URL": database, "SAMHANDLING_KEY_FILE": str(folder / "key")}
    port, begun = 18_000 + os.getpid() % 2_000, time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "messaging", "serve", "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.sched_setaffinity(process.pid, range(os.cpu_count() or 1))  # we keep to one core, and it would with us
    while process.poll() is None:
        try:
            with urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5):
                return process, time.perf_counter() - begun
        except (URLError, OSError):
            time.sleep(0.01)
    raise SystemExit(f"the server ended with {process.returncode}")


def rows(urls: list[str], measures: Measures) -> Iterator[Row]:
    """Measure one row after the other."""
    for url in urls:
        yield against_the_limit(url, measures)
        yield with_trust(url, measures)
        yield from whole_cycles(url, measures)
        yield beside_streams(url, measures)
        yield beside_a_silent_route(url, measures)
        yield from starts(url, measures)


def machine() -> str:
    """Say what it was measured on, without its name."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return f"{cpu}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"


def main() -> None:
    """Measure, print, and keep."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url", nargs="*", default=["sqlite"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--write", action="store_true", help="put the table and the chart into docs/")
    asked = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    found = []
    for row in rows(["" if url == "sqlite" else url for url in asked.url], Measures(asked.rounds, asked.seconds)):
        print(line(row), flush=True)
        found.append(row)
    command = [shutil.which("git") or "git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - git
    about = {
        "commit": commit.stdout.strip(),
        "at": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "rounds": asked.rounds,
        "seconds": asked.seconds,
    }
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps({**about, "rows": [asdict(row) for row in found]}, indent=1) + "\n", "utf-8")
    if asked.write:
        write(about, found)


if __name__ == "__main__":
    main()
