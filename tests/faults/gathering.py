"""Gathers the evidence when a run is over: the log sealed, exported and verified twice, the rows dumped."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from faults.checker import Violation, summary, violations
from faults.evidence import Evidence, Row
from faults.figures import RUNS, figures
from sqlalchemy import Table, select

from messaging.app import open_exchange
from messaging.errors import DocumentDamaged
from messaging.flow.anchoring import Anchoring
from messaging.flow.exchange import Exchange
from messaging.flow.opening import document_of
from messaging.flow.prove import export
from messaging.flow.seal import Sealer
from messaging.flow.verify import verify
from messaging.model.access import Role
from messaging.model.party import Client
from messaging.model.sight import EVERYTHING
from messaging.settings import Settings
from messaging.store import seals
from messaging.store import tables as t
from messaging.store import tables_of_keys as keys

AUDITOR = Client(id="auditor", name="auditor", role=Role.AUDITOR)
VERIFIER = Path(__file__).parents[2] / "deploy" / "verify_audit.py"
GRACE = 30.0
"""Seconds that a step of the exchange's own may be late when all is dumped."""


async def judge(settings: Settings, folder: Path, **run: Any) -> list[Violation]:
    """Gather what a run has left, print what it was, and judge it. Its processes must have ended."""
    await gather(settings, folder, **run)
    evidence = Evidence.of(folder)
    found = violations(evidence)
    RUNS.append(figures(evidence, [one.rule for one in found]))
    sys.stdout.write(f"{summary(evidence, found)} ({folder})\n")
    return found


async def gather(settings: Settings, folder: Path, **run: Any) -> None:
    """Write database.json, audit.jsonl and run.json."""
    async with open_exchange(settings) as exchange:
        await _seal_all(exchange)
        with (folder / "audit.jsonl").open("wb") as out:
            async for lines in export(exchange, AUDITOR):
                out.write(lines)
        report = await verify(exchange, AUDITOR)
        assert exchange.audit_key is not None
        verified = {
            "samhandling audit verify": 0 if report.is_whole else 1,
            "verify_audit.py": await _verified(folder / "audit.jsonl", exchange.audit_key.public.hex()),
        }
        database = await _dump(exchange)
    about = {
        "give_up_after": settings.retry_give_up_after,
        "lease_seconds": settings.lease_seconds,
        "now": time.time(),
        "grace": GRACE,
        "verified": verified,
        **run,
    }
    (folder / "database.json").write_text(json.dumps(database), "utf-8")
    (folder / "run.json").write_text(json.dumps(about), "utf-8")


async def _seal_all(exchange: Exchange) -> None:
    """Seal what is left, and carry it to the anchors: a process that was killed in each second had no time for it."""
    sealer = Sealer(exchange)
    async with asyncio.timeout(60):
        while True:
            await sealer.seal()
            for anchor in exchange.anchors:
                await Anchoring(sealer, anchor).carry()
            async with exchange.database.read(EVERYTHING) as tx:
                newest = await seals.last(tx)
                if not (await seals.waiting(tx, after=newest.settled if newest else 0))[0]:
                    return


async def _verified(log: Path, key: str) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", str(VERIFIER), str(log), "--key", key, stdout=asyncio.subprocess.DEVNULL
    )
    return await process.wait()


async def _dump(exchange: Exchange) -> dict[str, list[Any]]:
    messages = await _rows(exchange, t.message, ["id", "sender_her_id", "msg_id", "digest", "answers_id"])
    wanted = [column.name for column in t.delivery.c if column.name != "receipt_errors"]
    return {
        "messages": messages,
        "deliveries": await _rows(exchange, t.delivery, wanted),
        "attempts": await _rows(exchange, t.attempt, ["delivery_id", "number", "started_at", "ended_at", "outcome"]),
        "payloads": [await _payload(exchange, row["message_id"]) for row in await _payloads(exchange)],
        "keys": [row["content_id"] for row in await _rows(exchange, keys.payload_key, ["content_id"])],
    }


async def _payloads(exchange: Exchange) -> list[Row]:
    async with exchange.database.read(EVERYTHING) as tx:
        return [dict(row) for row in (await tx.execute(select(t.payload.c.message_id))).mappings()]


async def _payload(exchange: Exchange, message_id: Any) -> Row:
    try:
        content = await document_of(exchange, EVERYTHING, message_id)
    except DocumentDamaged:
        content = None
    return {
        "message_id": str(message_id),
        "sha256": hashlib.sha256(content).hexdigest() if content is not None else None,
    }


async def _rows(exchange: Exchange, table: Table, columns: list[str]) -> list[Row]:
    async with exchange.database.read(EVERYTHING) as tx:
        found = await tx.execute(select(*[table.c[name] for name in columns]))
        return [{name: _told(value) for name, value in row.items()} for row in found.mappings()]


def _told(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
