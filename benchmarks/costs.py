"""What one message costs, for `benchmarks.scale`: `python -m benchmarks.costs [SERVER_URL] [--seconds 10]`.

Whole cycles of 4 kB letters go through a server; then the processor time of its process and of PostgreSQL, the room on
the disk and the bytes of the write-ahead log are divided by how many there were. PostgreSQL has to be on this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from pathlib import Path

import asyncpg

from benchmarks.cycles import cycles
from benchmarks.table import _database
from benchmarks.trust import served

_TICKS = os.sysconf("SC_CLK_TCK")
_KEPT = {
    "the document, while it is kept": ("payload", "payload_key"),
    "metadata": ("message", "delivery", "attempt", "notification"),
    "for ever": ("audit", "sealed_line", "seal", "accepted"),
}


def _processor(pid: int) -> float:
    """Tell the processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _of_postgresql() -> float:
    total = 0.0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "comm").read_text("utf-8").strip() == "postgres":
                    total += _processor(int(entry.name))
            except OSError:
                continue  # it has ended meanwhile
    return total


async def _written(database: str) -> int:
    connection = await asyncpg.connect(database)
    try:
        return int(await connection.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))
    finally:
        await connection.close()


async def _sizes(database: str) -> dict[str, float]:
    """Tell how many bytes the tables of each kind take, with their indexes and all their months."""
    connection = await asyncpg.connect(database)
    try:
        query = """SELECT sum(pg_total_relation_size(named::regclass) + coalesce(
            (SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree(named::regclass)), 0))
            FROM unnest($1::text[]) AS named"""
        return {kind: float(await connection.fetchval(query, list(names))) for kind, names in _KEPT.items()}
    finally:
        await connection.close()


def measure(url: str, seconds: float) -> None:
    """Let whole cycles go through, and print what each has cost."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _database(url, Path(folder)) as database,
        served(database, Path(folder)) as told,
    ):
        asyncio.run(cycles(told, seconds=seconds / 4))
        before, log = (_processor(told["pid"]), _of_postgresql()), asyncio.run(_written(database)) if url else 0
        held = asyncio.run(_sizes(database)) if url else {}
        size = _file_size(Path(folder))
        done = asyncio.run(cycles(told, seconds=seconds)).statuses[200]
        print(f"{done} messages, each with its AppRec")
        print(f"  processor time of the server       {(_processor(told['pid']) - before[0]) / done * 1000:9.2f} ms")
        if not url:
            print(f"  room in the file                   {(_file_size(Path(folder)) - size) / done:9.0f} bytes")
            return
        print(f"  processor time of PostgreSQL       {(_of_postgresql() - before[1]) / done * 1000:9.2f} ms")
        print(f"  write-ahead log                    {(asyncio.run(_written(database)) - log) / done:9.0f} bytes")
        for kind, now in asyncio.run(_sizes(database)).items():
            print(f"  room for {kind:25} {(now - held[kind]) / done:9.0f} bytes")


def _file_size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.db"))


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url", nargs="?", default="sqlite")
    parser.add_argument("--seconds", type=float, default=10)
    asked = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    measure("" if asked.url == "sqlite" else asked.url, asked.seconds)


if __name__ == "__main__":
    main()
