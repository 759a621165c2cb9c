"""Where each shape of deployment ends, worked out from measured costs: `python -m benchmarks.scale`.

    python -m benchmarks.scale                       # the table, by messages a day
    python -m benchmarks.scale --per-second 40       # one load, played through second by second
    python -m benchmarks.scale --server-ms 9 …       # other costs; --help lists them

A message is one letter and everything that follows: it is handed in, told of, fetched, answered by an AppRec, and the
answer is seen by its sender. The table is arithmetic: how much of each part is used in the busiest minute of the year.
The play is a simulation of arrivals, processes and group commits, which shows how long a 202 takes on the way there.
"""

from __future__ import annotations

import argparse
import heapq
import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from math import ceil

_MS = 1e-3
_DAY = 86_400
_FULL = 0.7
"""A part is full when it is used so much: beyond, waiting grows faster than load."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What one message costs, from its letter to its answer seen; docs/scale.md says how each figure was measured."""

    server_ms: float = 12.4
    """Processor time of a server process on PostgreSQL."""
    sqlite_ms: float = 6.9
    """The same on SQLite, the database included."""
    accept_share: float = 0.1
    """How much of it is spent before the letter's 202."""
    database_ms: float = 5.6
    """Processor time of PostgreSQL."""
    fsync_ms: float = 1.0
    """How long the disk takes to make one durable."""
    document_bytes: float = 2_800
    """What the two documents take while they are kept, compressed and encrypted; larger letters take more."""
    metadata_bytes: float = 3_600
    """What is known of them, with its indexes."""
    forever_bytes: float = 4_800
    """What is left for ever: the audit log, its hashes, and what answers repetitions."""
    wal_bytes: float = 17_300
    """What is written to the log that a replica reads."""


@dataclass(frozen=True, slots=True)
class Habits:
    """When messages come and how long they stay; assumptions, to be replaced by one's own figures."""

    working_days: int = 250
    """Days of the year on which they come."""
    busiest_hour: float = 0.16
    """Part of a day's messages in its busiest hour."""
    burst: float = 2.0
    """How much more comes in that hour's busiest minute than in its others."""
    document_days: int = 90
    metadata_days: int = 365
    years: int = 5
    """How far ahead the disk is reckoned."""

    def peak(self, a_day: float) -> float:
        """Messages a second in the busiest minute, of so many on a working day."""
        return a_day * self.busiest_hour / 3600 * self.burst


@dataclass(frozen=True, slots=True)
class Shape:
    """A deployment: server processes, and what keeps the messages."""

    name: str
    servers: int
    database_cores: int
    """Cores of each database; 0 for SQLite, which runs in the server process."""
    databases: int = 1
    disk_bytes: float = 2e12
    """Of each database."""
    wal_bytes_a_second: float = 100e6
    replica: bool = False
    """Searches are read elsewhere; otherwise a tenth of the database is left to them."""

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is in the server process."""
        return not self.database_cores


SHAPES = (
    Shape("one process, SQLite", 1, 0, disk_bytes=0.3e12),
    Shape("one process, PostgreSQL beside", 1, 2, disk_bytes=4e12),
    Shape("one host, 8 processes, PostgreSQL of 8 cores", 8, 8, disk_bytes=8e12),
    Shape("4 hosts of 8 processes, PostgreSQL of 32 cores, a replica", 32, 32, disk_bytes=50e12, replica=True),
    Shape("16 hosts of 16 processes, 16 shards of 16 cores (Citus)", 256, 16, 16, disk_bytes=40e12, replica=True),
)


def used(shape: Shape, costs: Costs, habits: Habits, a_day: float) -> dict[str, float]:
    """Tell how much of each part is used by so many messages a day: 1 is all of it."""
    peak, own = habits.peak(a_day), costs.sqlite_ms if shape.is_sqlite else costs.server_ms
    a_year = a_day * habits.working_days
    kept = a_year * habits.document_days / 365 * costs.document_bytes
    kept += a_year * habits.metadata_days / 365 * costs.metadata_bytes
    kept += a_year * habits.years * costs.forever_bytes
    parts = {
        "server processes": peak * own * _MS / shape.servers,
        "disk space": kept / (shape.disk_bytes * shape.databases),
    }
    if not shape.is_sqlite:
        searches = 0 if shape.replica else 0.1
        parts["PostgreSQL"] = peak * costs.database_ms * _MS / (shape.database_cores * shape.databases) + searches
        parts["log for replicas"] = peak * costs.wal_bytes / (shape.wal_bytes_a_second * shape.databases)
    return parts


def holding(parts: dict[str, float]) -> tuple[str, float]:
    """Name the part that is used most, and how much."""
    return max(parts.items(), key=lambda part: part[1])


def most(shape: Shape, costs: Costs, habits: Habits) -> float:
    """Tell how many messages a working day fill a shape."""
    low, high = 1.0, 1e12
    while high / low > 1.001:  # noqa: PLR2004 - a thousandth
        middle = (low * high) ** 0.5
        low, high = (low, middle) if holding(used(shape, costs, habits, middle))[1] > _FULL else (middle, high)
    return low


@dataclass(slots=True)
class Played:
    """What a play came to: seconds until each 202, and how much of the time each part worked."""

    arrived: int = 0
    answered: list[float] = field(default_factory=list)
    waiting: int = 0
    """How many had not been answered at the end."""
    server: float = 0.0
    database: float = 0.0
    groups: int = 0

    def within(self, part: float) -> float:
        """Seconds within which this part was answered."""
        ordered = sorted(self.answered)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0


def play(shape: Shape, costs: Costs, per_second: float, *, seconds: float = 60, seed: int = 1) -> Played:
    """Play so many messages a second through a shape: arrivals by chance, processes that take turns, group commits.

    Each process takes one piece of work at a time; those that were worked on wait for the commit that is under way to
    end, and share the next. What follows on a letter is work of the same processes, a little later.
    """
    return _Play(shape, costs, random.Random(seed)).through(per_second, seconds)  # noqa: S311 - no secret


_ARRIVES, _WORKED, _COMMITTED = range(3)


class _Play:
    def __init__(self, shape: Shape, costs: Costs, draw: random.Random) -> None:
        own = costs.sqlite_ms if shape.is_sqlite else costs.server_ms
        self._accept, self._rest = own * costs.accept_share * _MS, own * (1 - costs.accept_share) * _MS
        cores = shape.database_cores * shape.databases
        self._row = costs.database_ms * costs.accept_share * _MS / cores if cores else 0.0
        self._fsync = costs.fsync_ms * _MS
        self._draw, self._shape = draw, shape
        self._events: list[tuple[float, int, int, int]] = []
        self._lines: list[deque[float | None]] = [deque() for _ in range(shape.servers)]
        self._busy = [False] * shape.servers
        self._gathered: list[list[float]] = [[] for _ in range(shape.servers)]
        self._committing: list[list[float]] = [[] for _ in range(shape.servers)]
        self._told, self._serial = Played(), 0

    def through(self, per_second: float, seconds: float) -> Played:
        told, at = self._told, 0.0
        while (at := at + self._draw.expovariate(per_second)) < seconds:
            self._put(at, _ARRIVES, self._draw.randrange(self._shape.servers))
            told.arrived += 1
        while self._events and self._events[0][0] < seconds:
            at, _, kind, server = heapq.heappop(self._events)
            (self._arrive, self._worked, self._committed)[kind](at, server)
        told.waiting = told.arrived - len(told.answered)
        told.server = min(1.0, told.server / seconds / self._shape.servers)
        told.database = min(1.0, told.database / seconds / self._shape.servers)
        return told

    def _put(self, at: float, kind: int, server: int) -> None:
        self._serial += 1
        heapq.heappush(self._events, (at, self._serial, kind, server))

    def _arrive(self, at: float, server: int) -> None:
        self._lines[server].append(at)
        self._work(at, server)

    def _work(self, at: float, server: int) -> None:
        if self._busy[server] or not self._lines[server]:
            return
        self._busy[server] = True
        takes = self._accept if self._lines[server][0] is not None else self._rest
        takes *= self._draw.gammavariate(4, 0.25)
        self._told.server += takes
        self._put(at + takes, _WORKED, server)

    def _worked(self, at: float, server: int) -> None:
        self._busy[server] = False
        came = self._lines[server].popleft()
        if came is not None:
            self._gathered[server].append(came)
            self._commit(at, server)
        self._work(at, server)

    def _commit(self, at: float, server: int) -> None:
        if self._committing[server] or not self._gathered[server]:
            return
        self._committing[server], self._gathered[server] = self._gathered[server], []
        takes = self._fsync + self._row * len(self._committing[server])
        self._told.database += takes
        self._told.groups += 1
        self._put(at + takes, _COMMITTED, server)

    def _committed(self, at: float, server: int) -> None:
        for came in self._committing[server]:
            self._told.answered.append(at - came)
            self._lines[server].append(None)  # all that follows on it
        self._committing[server] = []
        self._commit(at, server)
        self._work(at, server)


VOLUMES = (10_000, 100_000, 1_000_000, 3_000_000, 4_000_000, 30_000_000, 40_000_000)
_A_YEAR = {4_000_000: " (10⁹ a year)", 40_000_000: " (10¹⁰ a year)"}


def table(costs: Costs, habits: Habits) -> Iterator[str]:
    """Write what each shape takes, and which is enough for which volume."""
    yield f"{'shape':60} {'messages a day':>15} {'a second':>9}  what holds it"
    for shape in SHAPES:
        full = most(shape, costs, habits)
        held, _ = holding(used(shape, costs, habits, full))
        yield f"{shape.name:60} {full:>15,.0f} {habits.peak(full):>9,.1f}  {held}"
    yield ""
    yield f"{'messages a day':28} {'a second':>9}  the first shape that is enough"
    for a_day in VOLUMES:
        enough = [(shape, used(shape, costs, habits, a_day)) for shape in SHAPES]
        fits = next(((shape, parts) for shape, parts in enough if holding(parts)[1] <= _FULL), None)
        if fits is None:
            told = "none of these"
        else:
            held, part = holding(fits[1])
            told = f"{fits[0].name}; {held} used {part:.0%}"
        yield f"{f'{a_day:,}{_A_YEAR.get(a_day, str())}':28} {habits.peak(a_day):>9,.1f}  {told}"


def played(costs: Costs, per_second: float) -> Iterator[str]:
    """Play one load through every shape, and write what came of it."""
    yield f"{'shape':60} {'answered':>9} {'waiting':>8} {'half':>9} {'99 of 100':>10} {'processes':>10} {'a group':>8}"
    for shape in SHAPES:
        one = play(shape, costs, per_second)
        group = len(one.answered) / max(1, one.groups)
        half, late = (f"{one.within(part) * 1000:.1f} ms" for part in (0.5, 0.99))
        yield (
            f"{shape.name:60} {len(one.answered):>9} {one.waiting:>8} {half:>9} {late:>10} "
            f"{one.server:>10.0%} {group:>8.1f}"
        )


def processes_for(costs: Costs, habits: Habits, a_day: float) -> int:
    """Tell how many server processes on PostgreSQL so many messages a day need."""
    return max(1, ceil(habits.peak(a_day) * costs.server_ms * _MS / _FULL))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, or one load as it is played."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--per-second", type=float, help="play so many messages a second through each shape")
    known = (Costs(), Habits())
    for group in known:
        for one in fields(group):
            default = getattr(group, one.name)
            parser.add_argument(f"--{one.name.replace('_', '-')}", type=type(default), default=default)
    asked = parser.parse_args(arguments)
    costs, habits = (replace(group, **{one.name: getattr(asked, one.name) for one in fields(group)}) for group in known)
    assert isinstance(costs, Costs)  # noqa: S101 - as it was made
    assert isinstance(habits, Habits)  # noqa: S101 - as it was made
    for line in played(costs, asked.per_second) if asked.per_second else table(costs, habits):
        print(line)


if __name__ == "__main__":
    main()
