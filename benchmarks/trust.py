"""What trust costs: documents accepted per second with authentication, encryption and sealing, and without each.

`python -m benchmarks.trust [DATABASE_URL …] [--rounds 5] [--seconds 4]`; without a URL it takes a new SQLite file. The
server has one core and the load generator (benchmarks/load.py) another. The variants take turns round by round, so that
a machine whose speed drifts is fair to all; what counts is the ratio within a round. Where the disk is slower than
the processor, the processor time for each document tells more than documents per second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from benchmarks.load import document_of, drive, posts

VARIANTS: dict[str, tuple[str, ...]] = {
    "all of trust": (),
    "without authentication": ("authentication",),
    "without encryption": ("encryption",),
    "without sealing": ("sealing",),
    "without all three": ("authentication", "encryption", "sealing"),
}
_NOTHING = "without all three"
_SIZE = 4_000


@contextmanager
def served(url: str, folder: Path, without: tuple[str, ...] = (), core: int = 0) -> Iterator[dict[str, Any]]:
    """Run a server on one core for as long as the block lasts; yields its address and the hospital's key."""
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "benchmarks.served", str(folder), url, *without],
        stdout=subprocess.PIPE,
        text=True,
    )
    os.sched_setaffinity(process.pid, {core})
    assert process.stdout is not None  # noqa: S101 - it was asked for
    try:
        line = process.stdout.readline()
        if not line:
            raise SystemExit("the server did not start")
        yield json.loads(line)
    finally:
        process.terminate()
        process.wait(20)


@dataclass(frozen=True, slots=True)
class Round:
    """What one variant did in one round: documents accepted per second, and the server's processor seconds for each."""

    per_second: float
    cost: float


def measured(url: str, folder: Path, without: tuple[str, ...], seconds: float) -> Round:
    """Start a server, load it, and tell what it did; `url` is empty for a new SQLite file with keys of its own."""
    if not url:
        folder = folder / str(uuid4())
        folder.mkdir()
    database = url or f"sqlite:///{folder}/samhandling.db"
    with served(database, folder, without) as told:
        _, document = document_of(_SIZE)
        make = posts("/documents", {"Authorization": f"Bearer {told['key']}"}, document)
        asyncio.run(drive(told["host"], told["port"], make, seconds=seconds / 4))  # warm
        before = _processor_seconds(told["pid"])
        answers = asyncio.run(drive(told["host"], told["port"], make, seconds=seconds))
        spent = _processor_seconds(told["pid"]) - before
    if set(answers.statuses) != {202}:
        raise SystemExit(f"not every document was accepted: {dict(answers.statuses)}")
    return Round(answers.per_second(202), spent / answers.statuses[202])


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print documents accepted per second, and each variant as a part of the one without all three."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url", nargs="*", default=[""])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    asked = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    name, document = document_of(_SIZE)
    print(f"{name}, {len(document)} bytes, 32 connections, {asked.rounds} rounds of {asked.seconds} s")
    for url in asked.url:
        print(url.partition(":")[0] or "sqlite")
        with TemporaryDirectory() as folder:
            rounds = [
                {what: measured(url, Path(folder), left, asked.seconds) for what, left in VARIANTS.items()}
                for _ in range(asked.rounds)
            ]
        for what in VARIANTS:
            figures = sorted(one[what].per_second for one in rounds)
            part = median(one[what].per_second / one[_NOTHING].per_second for one in rounds)
            cost = median(one[what].cost for one in rounds) * 1e3
            dearer = median(one[what].cost / one[_NOTHING].cost for one in rounds)
            print(
                f"  {what:24} {median(figures):7.0f}/s ({figures[0]:.0f}-{figures[-1]:.0f}) {part:5.2f}"
                f"   {cost:6.2f} ms of processor time each {dearer:5.2f}"
            )


if __name__ == "__main__":
    main()
