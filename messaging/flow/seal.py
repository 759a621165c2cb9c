"""Seal: every second the new audit lines get their places in the Merkle tree, and a signed head says so.

One process seals; the others look every few seconds whether it still does. When the database no longer has the seal
that an anchor holds, nothing is sealed until an operator has acknowledged the gap: what is lost is never covered up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from messaging.errors import InvalidRequest, Unavailable
from messaging.flow.anchors import AnchorFailed
from messaging.flow.exchange import Exchange
from messaging.logs import logger_of
from messaging.model.access import Action, authorise
from messaging.model.audit import AuditEvent
from messaging.model.log import LogEvent
from messaging.model.merkle import Tree, leaf_hash
from messaging.model.party import Client
from messaging.model.seal import Seal, line_bytes
from messaging.model.sight import EVERYTHING
from messaging.signing import SigningKey
from messaging.store import audit, seals
from messaging.store.seals import Kept, Mark
from messaging.store.session import ReadTx

logger = logger_of(__name__)

ACTOR = "sealer"
LATE = timedelta(seconds=10)
"""What has no seal, or no anchor, for longer than this is an alarm."""

_AT_A_TIME = 5_000
_HASHED_AT_A_TIME = 250
_LOOK_AGAIN = 5.0
_SOME_ALARMS = 100


class Sealer:
    """Seals what has come since the last seal, when nobody else does."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.found: Kept | None = None
        """The newest seal when this sealer began."""
        self._began = False
        self._newest: Seal | None = None
        self._stands_down_until = 0.0
        self._mark: Mark | None = None
        self._nothing_waits = False
        self._is_refusing = False

    @property
    def is_sealing(self) -> bool:
        """Whether this process is the one that seals, as far as it knows."""
        return self._began and asyncio.get_running_loop().time() >= self._stands_down_until

    async def run(self) -> None:
        """Seal until cancelled; whatever goes wrong is said, and tried again."""
        every = self.exchange.terms.seal_every.total_seconds()
        while True:
            more = False
            try:
                more = await self.seal()
            except Unavailable:
                logger.warning(LogEvent.DATABASE_AWAITED, part="sealer")
            except Exception:
                logger.exception(LogEvent.PART_FAILED, part="sealer", next="it is tried again")
            await self._tell_if_late()
            await asyncio.sleep(_LOOK_AGAIN if self._is_refusing else 0 if more else every)

    async def seal(self) -> bool:
        """Seal once; tells whether more lines wait already."""
        self._nothing_waits = False
        held = await self._anchored()
        async with self.exchange.database.read(EVERYTHING) as tx:
            base = await seals.last(tx)
            if self._leaves_it_to_another(base):
                self._nothing_waits = True
                return False
            lost = await _lost(tx, held)
            given_up = await _given_up(tx, base)
            after = base.settled if base else 0
            settled = await self._settled(tx)
            lines = [] if lost.keys() - given_up else await seals.to_seal(tx, after=after, limit=_AT_A_TIME)
        self._is_refusing = bool(lost.keys() - given_up)
        if self._is_refusing:
            await self._refuse(base, lost)
            return False
        self._nothing_waits = len(lines) < _AT_A_TIME
        return bool(lines) and await self._add(base, lines, settled, tuple(sorted(lost)))

    async def _anchored(self) -> list[Seal]:
        """Read the newest seal of each anchor that can tell; before the database is read, which is ahead of them."""
        known = [self._newest] if self._newest else []
        for anchor in self.exchange.anchors:
            try:
                seal = await anchor.last()
            except AnchorFailed:  # the anchor's own loop says so; sealing goes on
                continue
            if seal is not None:
                known.append(seal)
        return known

    def _leaves_it_to_another(self, base: Kept | None) -> bool:
        """Stand down for some seconds when another process has sealed since the last look."""
        if not self._began:
            self._began, self.found, self._newest = True, base, base.seal if base else None
            return False
        now = asyncio.get_running_loop().time()
        if base is not None and base.seal.number > (self._newest.number if self._newest else -1):
            self._newest, self._stands_down_until = base.seal, now + _LOOK_AGAIN
        return now < self._stands_down_until

    async def _settled(self, tx: ReadTx) -> int:
        """Tell up to which id every line can be seen; asked before the lines are read."""
        mark = self._mark or await seals.mark(tx)
        settled = await seals.has_settled(tx, mark)
        self._mark = None if settled else mark
        return mark.highest if settled else 0

    async def _add(self, base: Kept | None, lines: Sequence[Any], settled: int, replaces: tuple[bytes, ...]) -> bool:
        """Hash and sign, then write; returns whether more lines wait already."""
        tree = base.tree() if base else Tree()
        hashed = []
        for start in range(0, len(lines), _HASHED_AT_A_TIME):
            hashed += [_hashed(line) for line in lines[start : start + _HASHED_AT_A_TIME]]
            await asyncio.sleep(0)  # requests come first
        for _, leaf in hashed:
            tree.append(leaf)
        is_full = len(lines) == _AT_A_TIME
        settled = min(settled, lines[-1][0]) if is_full else settled
        following = self._signed(base, tree, last_line=lines[-1][0], settled=settled, replaces=replaces)
        async with self.exchange.database.write(EVERYTHING) as tx:
            if not await seals.append(tx, base.seal if base else None, following, hashed):
                return True  # another was faster: look again
            if base is not None and base.seal.key != following.seal.key:
                detail = {"from": base.seal.key.hex(), "to": following.seal.key.hex()}
                await audit.write(tx, audit.Line(following.seal.at, AuditEvent.KEY_CHANGED, ACTOR, detail=detail))
        self._newest = following.seal
        return is_full

    def _signed(
        self, base: Kept | None, tree: Tree, *, last_line: int, settled: int, replaces: tuple[bytes, ...]
    ) -> Kept:
        key = _key(self.exchange)
        unsigned = Seal(
            number=base.seal.number + 1 if base else 0,
            size=tree.size,
            root=tree.root(),
            last_line=max(last_line, base.seal.last_line if base else 0),
            at=self.exchange.clock(),
            previous=base.seal.digest if base else None,
            key=key.public,
            replaces=replaces,
        )
        seal = replace(unsigned, signature=key.sign(unsigned.signed()))
        return Kept(seal, tree.to_bytes(), max(settled, base.settled if base else 0))

    async def _refuse(self, base: Kept | None, lost: dict[bytes, Seal]) -> None:
        """Raise the alarm, once, about seals that the database no longer has."""
        detail = {
            "seals": sorted(digest.hex() for digest in lost),
            "numbers": sorted(seal.number for seal in lost.values()),
            "kept": base.seal.number if base else None,
        }
        async with self.exchange.database.write(EVERYTHING) as tx:
            told = await _lines(tx.reader, base, AuditEvent.AUDIT_GAP)
            if any(line["detail"]["seals"] == detail["seals"] for line in told):
                return
            await audit.write(tx, audit.Line(self.exchange.clock(), AuditEvent.AUDIT_GAP, ACTOR, detail=detail))
        logger.error(
            AuditEvent.AUDIT_GAP,
            numbers=detail["numbers"],
            reason="the database lacks seals that were anchored, and nothing is sealed",
            next="see `samhandling audit verify`, then `samhandling audit acknowledge-gap`",
        )

    async def _tell_if_late(self) -> None:
        """Raise the alarm, once, when lines have waited too long for their seal."""
        if self._nothing_waits:
            return
        try:
            await self.raise_alarm()
        except Unavailable:
            logger.warning(LogEvent.DATABASE_AWAITED, part="sealer")

    async def raise_alarm(self) -> bool:
        """Raise the alarm when lines wait too long, unless it stands among them already."""
        now = self.exchange.clock()
        async with self.exchange.database.write(EVERYTHING) as tx:
            base = await seals.last(tx.reader)
            count, oldest = await seals.waiting(tx.reader, after=base.settled if base else 0)
            if oldest is None or now - oldest <= LATE or await _lines(tx.reader, base, AuditEvent.UNSEALED):
                return False
            detail = {"lines": count, "since": oldest.isoformat()}
            await audit.write(tx, audit.Line(now, AuditEvent.UNSEALED, ACTOR, detail=detail))
        logger.error(AuditEvent.UNSEALED, count=count, since=oldest)
        return True


def _hashed(line: Any) -> tuple[int, bytes]:
    return line[0], leaf_hash(line_bytes(*line))


def _key(exchange: Exchange) -> SigningKey:
    if exchange.audit_key is None:
        raise RuntimeError("this exchange was opened without the key that seals the audit log")
    return exchange.audit_key


async def _lost(tx: ReadTx, held: Iterable[Seal]) -> dict[bytes, Seal]:
    """Pick the seals that the database does not have, and that no later seal has given up."""
    lost = [seal for seal in held if not await seals.has(tx, seal)]
    later = await seals.replacing(tx) if lost else []
    return {seal.digest: seal for seal in lost if not any(one.gives_up(seal) for one in later)}


async def _given_up(tx: ReadTx, base: Kept | None) -> set[bytes]:
    """Name the seals that an operator has given up since the last seal."""
    return {
        bytes.fromhex(digest)
        for line in await _lines(tx, base, AuditEvent.GAP_ACKNOWLEDGED)
        for digest in line["detail"]["seals"]
    }


async def _lines(tx: ReadTx, base: Kept | None, event: AuditEvent) -> list[dict[str, Any]]:
    after = base.settled if base else 0
    return await seals.unsealed(tx, after=after, limit=_SOME_ALARMS, events=[event])


async def acknowledge_gap(exchange: Exchange, actor: Client, *, note: str) -> list[int]:
    """Let sealing go on after seals were lost, as with a restore; the note and what was lost stay in the log for ever.

    Returns the numbers of the seals given up. Raises InvalidRequest when nothing is lost.
    """
    authorise(actor, Action.OPERATE)
    held = [seal for anchor in exchange.anchors if (seal := await anchor.last()) is not None]
    async with exchange.database.write(EVERYTHING) as tx:
        base = await seals.last(tx.reader)
        lost = {digest.hex(): seal.number for digest, seal in (await _lost(tx.reader, held)).items()}
        for alarm in await _lines(tx.reader, base, AuditEvent.AUDIT_GAP):
            lost.update(zip(alarm["detail"]["seals"], alarm["detail"]["numbers"], strict=True))
        if not lost:
            raise InvalidRequest("The database has every seal that was anchored; there is no gap to acknowledge.")
        detail = {
            "seals": sorted(lost),
            "numbers": sorted(lost.values()),
            "kept": base.seal.number if base else None,
            "note": note,
        }
        await audit.write(tx, audit.Line(exchange.clock(), AuditEvent.GAP_ACKNOWLEDGED, actor.id, detail=detail))
    return sorted(lost.values())
