"""What a run under faults leaves behind: each client's history, a dump of the database, and an export of the audit log.

A folder holds it: `history/CLIENT.jsonl` (fsynced line by line, so that it survives the client too), `database.json`,
`audit.jsonl`, `run.json` (what the run was, and what was measured around it) and `log/`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = dict[str, Any]

OK, FAIL, UNKNOWN = "ok", "fail", "unknown"
"""What a client knows of what it did: it holds; it does not hold; nobody has told (cut off, or a 5xx)."""


class History:
    """One client's own account of what it did and what it was told."""

    def __init__(self, folder: Path, client: str, her_ids: list[int]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.client = client
        self._her_ids = her_ids
        self._file = (folder / f"{client}.jsonl").open("a", encoding="utf-8")

    def write(self, op: str, start: float, outcome: str, **told: Any) -> None:
        """Write down one thing that has ended; times are seconds since 1970."""
        row = {"client": self.client, "her_ids": self._her_ids, "op": op, "start": start, "end": time.time()}
        self._file.write(json.dumps({**row, "outcome": outcome, **told}) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextmanager
def history(folder: Path, client: str, her_ids: list[int]) -> Iterator[History]:
    """Keep a history for as long as the block lasts."""
    kept = History(folder / "history", client, her_ids)
    try:
        yield kept
    finally:
        kept.close()


@dataclass
class Evidence:
    """All that the checker judges by."""

    operations: list[Row] = field(default_factory=list)
    """`post`, `answer`, `read`, `probe`, `status` and `arrived`; test_fault_checker.py shows their forms."""
    messages: list[Row] = field(default_factory=list)
    deliveries: list[Row] = field(default_factory=list)
    attempts: list[Row] = field(default_factory=list)
    payloads: list[Row] = field(default_factory=list)
    """`message_id`, and `sha256` of what it opens to (None: it does not open)."""
    keys: list[str] = field(default_factory=list)
    """The ids of all content that has a key."""
    lines: list[Row] = field(default_factory=list)
    """The audit log's lines in the order of their ids."""
    run: Row = field(default_factory=dict)
    """`give_up_after`, `lease_seconds`, `now` (when the database was dumped), `verified` (exit codes of the two
    verifiers), `resources` (`before`, `after`), `pauses` (when a process stood still, from and to)."""
    logs: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> Evidence:
        """Read what a run has left in its folder."""
        operations = [
            json.loads(line)
            for path in sorted((folder / "history").glob("*.jsonl"))
            for line in path.read_text("utf-8").splitlines()
        ]
        database = json.loads((folder / "database.json").read_text("utf-8"))
        lines = [json.loads(line) for line in (folder / "audit.jsonl").read_text("utf-8").splitlines()]
        logs = {path.name: path.read_text("utf-8", "replace") for path in sorted((folder / "log").glob("*"))}
        told = sorted((row["line"] for row in lines if row.get("line")), key=lambda line: line["id"])
        run = json.loads((folder / "run.json").read_text("utf-8"))
        return cls(operations, lines=told, run=run, logs=logs, **database)
