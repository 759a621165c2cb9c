"""What trust costs: documents accepted per second with authentication, encryption and sealing, and without each.

`python -m benchmarks.trust [DATABASE_URL …] [--rounds 5] [--seconds 4]`; without a URL it takes a new SQLite file. The
server has one core and the load generator (benchmarks/load.py) another. The variants take turns round by round, so that
a machine whose speed drifts is fair to all; what counts is the ratio within a round.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.load import document_of, drive, posts

VARIANTS: dict[str, tuple[str, ...]] = {
    "all of trust": (),
    "without authentication": ("authentication",),
    "without encryption": ("encryption",),
    "without sealing": ("sealing",),
    "without all three": ("authentication", "encryption", "sealing"),
}
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


def accepted_per_second(url: str, without: tuple[str, ...], seconds: float) -> float:
    """Start a server, load it, and tell how many documents it accepted each second."""
    with tempfile.TemporaryDirectory() as folder:
        database = url or f"sqlite:///{folder}/samhandling.db"
        with served(database, Path(folder), without) as told:
            _, document = document_of(_SIZE)
            make = posts("/documents", {"Authorization": f"Bearer {told['key']}"}, document)
            asyncio.run(drive(told["host"], told["port"], make, seconds=seconds / 4))  # warm
            answers = asyncio.run(drive(told["host"], told["port"], make, seconds=seconds))
    if set(answers.statuses) != {202}:
        raise SystemExit(f"not every document was accepted: {dict(answers.statuses)}")
    return answers.per_second(202)


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
        rounds = [
            {what: accepted_per_second(url, left, asked.seconds) for what, left in VARIANTS.items()}
            for _ in range(asked.rounds)
        ]
        for what in VARIANTS:
            figures = sorted(one[what] for one in rounds)
            part = median(one[what] / one["without all three"] for one in rounds)
            print(f"  {what:24} {median(figures):7.0f}/s  ({figures[0]:.0f}-{figures[-1]:.0f})  {part:5.2f}")


if __name__ == "__main__":
    main()
