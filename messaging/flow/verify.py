"""Verify: read the audit log from a seal on, hash it again, and compare it with what was signed and anchored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from messaging.errors import NotFound
from messaging.flow import anchored
from messaging.flow.anchors import FileAnchor
from messaging.flow.exchange import Exchange
from messaging.flow.walk import Walk
from messaging.model.access import Action, authorise
from messaging.model.party import Client
from messaging.model.seal import Finding, Seal, Verdict
from messaging.model.sight import EVERYTHING
from messaging.store import seals
from messaging.store.seals import Kept
from messaging.store.session import Database, ReadTx

_SEALS_AT_A_TIME = 500
_SOME = 50


@dataclass(slots=True)
class Report:
    """What a check has read and found."""

    lines: int = 0
    seals: int = 0
    newest: Seal | None = None
    findings: list[Finding] = field(default_factory=list)
    more: int = 0
    """Findings beyond those that are listed."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing was changed, as far as the seals and the anchors at hand can tell."""
        return all(finding.is_notice for finding in self.findings)


async def verify(exchange: Exchange, actor: Client, *, since: str | None = None, copies: Sequence[Path] = ()) -> Report:
    """Check every line, seal and anchor, or those behind a seal that the caller trusts, by its number or digest.

    `copies` are further files that seals were anchored to. Raises NotFound when the database has no such seal.
    """
    authorise(actor, Action.AUDIT)
    database = exchange.database
    start = await find(database, since) if since else None
    async with database.read(EVERYTHING) as tx:
        newest = await seals.last(tx)
        walk = Walk(start, end=await seals.leaf_count(tx))
    if newest is not None:
        async for some in seals.in_order(database, after=start, until=newest):
            for one in some:
                if isinstance(one, Kept):
                    walk.seal(one)
                else:
                    walk.leaf(one)
        walk.finish(newest.seal, exchange.audit_key.public if exchange.audit_key else None)
    report = Report(walk.lines, walk.seals, newest.seal if newest else None, walk.findings, walk.more)
    async with database.read(EVERYTHING) as tx:
        report.findings += await inserted(tx, start, newest)
        report.findings += await unsealed(tx, newest)
        report.findings += await gaps(tx)
    own = [anchor for anchor in exchange.anchors if isinstance(anchor, FileAnchor)]
    for anchor in (*own, *map(FileAnchor, copies)):
        report.findings += await anchored.compare(database, anchor, after=start.seal.number if start else -1)
    return report


async def find(database: Database, name: str) -> Kept:
    """Find a seal by its number, or by its digest in hexadecimal. Raises NotFound."""
    if name.isdecimal() and len(name) < 20:  # noqa: PLR2004 - a digest has 64
        async with database.read(EVERYTHING) as tx:
            kept = await seals.get(tx, int(name))
    else:
        kept = await _by_digest(database, name.lower())
    if kept is None:
        raise NotFound("The database has no such seal; `samhandling audit verify` names the newest.")
    return kept


async def _by_digest(database: Database, digest: str) -> Kept | None:
    number = 0
    while True:
        async with database.read(EVERYTHING) as tx:
            some = await seals.page(tx, start=number, limit=_SEALS_AT_A_TIME)
        if not some:
            return None
        for kept in some:
            if kept.seal.digest.hex() == digest:
                return kept
        number = some[-1].seal.number + 1


async def inserted(tx: ReadTx, start: Kept | None, end: Kept | None) -> list[Finding]:
    """Look for lines that were put among those which the seals from one to another cover."""
    after, until = start.settled if start else 0, end.settled if end else 0
    found = await seals.never_sealed(tx, after=after, until=until, limit=_SOME)
    text = "line {} stands among sealed lines and was never sealed"
    return [Finding(Verdict.INSERTED, text.format(line), line=line) for line in found]


async def unsealed(tx: ReadTx, newest: Kept | None) -> list[Finding]:
    """Tell how many lines are so new that they have no seal."""
    count, oldest = await seals.waiting(tx, after=newest.settled if newest else 0)
    if oldest is None:
        return []
    since = oldest.isoformat(timespec="seconds")
    return [Finding(Verdict.UNSEALED, f"lines without a seal yet: {count}, the oldest of {since}")]


async def gaps(tx: ReadTx, start: Kept | None = None, end: Kept | None = None) -> list[Finding]:
    """Tell where the log goes on behind an acknowledged loss: everywhere, or from one seal to another."""
    after, until = start.seal.number if start else -1, end.seal.number if end else None
    text = "before seal {} the end of the log was lost, and an operator acknowledged it: see audit.gap_acknowledged"
    later = await seals.replacing(tx, after=after, until=until)
    return [Finding(Verdict.GAP, text.format(seal.number), seal=seal.number) for seal in later]
