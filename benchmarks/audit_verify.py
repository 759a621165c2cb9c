"""How long sealing, `audit verify` and `audit export` take: `python benchmarks/audit_verify.py [LINES] [DATABASE_URL]`.

Fills an empty database (a temporary SQLite file when none is named) with audit lines like those of deliveries, seals
them, and checks them. The target for a million lines is 20 seconds.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from messaging.app import open_exchange
from messaging.flow.exchange import Exchange
from messaging.flow.prove import export
from messaging.flow.seal import Sealer
from messaging.flow.verify import verify
from messaging.model.access import Role
from messaging.model.party import Client
from messaging.model.sight import EVERYTHING
from messaging.settings import Settings
from messaging.store import audit

SCRIPT = Path(__file__).parents[1] / "deploy" / "verify_audit.py"
OPERATOR = Client(id="benchmark", name="benchmark", role=Role.OPERATOR)
AT_A_TIME = 5_000


async def fill(exchange: Exchange, lines: int) -> None:
    at = exchange.clock()
    for start in range(0, lines, AT_A_TIME):
        message, delivery = uuid4(), uuid4()
        some = [
            audit.Line(
                at + timedelta(seconds=start + n),
                "delivery.claimed",
                "worker",
                message,
                delivery,
                8110001,
                {"from": "pending", "to": "sending", "attempt": start + n},
            )
            for n in range(min(AT_A_TIME, lines - start))
        ]
        async with exchange.database.write(EVERYTHING) as tx:
            await audit.write(tx, *some)


async def measure(url: str, folder: Path, lines: int) -> None:
    settings = Settings(database_url=url, key_file=folder / "key", disk_reserve_bytes=0, audit_anchors=())
    async with open_exchange(settings) as exchange:
        await fill(exchange, lines)
        began = time.perf_counter()
        sealer = Sealer(exchange)
        while await sealer.seal():
            pass
        said("seal", began, lines)
        began = time.perf_counter()
        report = await verify(exchange, OPERATOR)
        said(f"verify ({report.lines} lines, {report.seals} seals, {len(report.findings)} findings)", began, lines)
        for finding in report.findings:
            print(f"  {finding}")
        began = time.perf_counter()
        with (folder / "export.jsonl").open("wb") as file:
            async for some in export(exchange, OPERATOR):
                file.write(some)
        said("export", began, lines)
        key = exchange.audit_key.public.hex() if exchange.audit_key else ""
    began = time.perf_counter()
    command = [sys.executable, "-I", "-S", str(SCRIPT), str(folder / "export.jsonl"), "--key", key]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: ASYNC221, S603 - nothing else is to do
    said("stand-alone check of the export", began, lines)


def said(what: str, began: float, lines: int) -> None:
    took = time.perf_counter() - began
    print(f"{what}: {took:.1f} s, {lines / took:,.0f} lines/s")


if __name__ == "__main__":
    os.nice(5)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as temporary:
        named = sys.argv[2] if len(sys.argv) > 2 else f"sqlite:///{temporary}/benchmark.db"  # noqa: PLR2004
        asyncio.run(measure(named, Path(temporary), count))
