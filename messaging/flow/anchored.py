"""What the anchors know better: the seals they hold, compared with those in the database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from itertools import islice

from messaging.flow.anchors import AnchorFailed, FileAnchor, seal_of
from messaging.model.seal import Finding, Seal, Verdict
from messaging.model.sight import EVERYTHING
from messaging.signing import is_signed
from messaging.store import seals
from messaging.store.session import Database

_AT_A_TIME = 500


async def compare(database: Database, anchor: FileAnchor, *, after: int) -> list[Finding]:
    """Look each seal of an anchor up whose number is higher, and name those that the database lacks."""
    findings: list[Finding] = []
    lost: list[Seal] = []
    try:
        held = _read(anchor.lines(), anchor.name, findings)
        is_empty = True
        while some := await asyncio.to_thread(lambda: list(islice(held, _AT_A_TIME))):
            is_empty = False
            lost += await _lacking(database, [seal for seal in some if seal.number > after])
    except FileNotFoundError:
        is_empty = True
    except OSError as error:
        text = f"{anchor.name} cannot be read: {error.strerror}"
        return [*findings, Finding(Verdict.ANCHOR_DAMAGED, text, anchor=anchor.name)]
    if is_empty:
        findings += await _about_none(database, anchor.name)
    forged = [seal for seal in lost if not is_signed(seal.signed(), seal.signature, seal.key)]
    for seal in forged:
        text = f"what {anchor.name} holds as seal {seal.number} was never signed"
        findings.append(Finding(Verdict.ANCHOR_DAMAGED, text, seal=seal.number, anchor=anchor.name))
    return findings + await _about_lost(database, anchor.name, [seal for seal in lost if seal not in forged])


async def compare_newest(database: Database, anchor: FileAnchor, *, patience: float) -> list[Finding]:
    """Look only the newest seal of an anchor up, which tells whether the database still has its end."""
    try:
        async with asyncio.timeout(patience):
            held = await anchor.last()
    except (AnchorFailed, TimeoutError) as error:
        text = f"{anchor.name} cannot be read: {str(error) or 'it does not answer'}"
        return [Finding(Verdict.ANCHOR_DAMAGED, text, anchor=anchor.name)]
    if held is None:
        return await _about_none(database, anchor.name)
    return await _about_lost(database, anchor.name, await _lacking(database, [held]))


def _read(lines: Iterable[bytes], name: str, findings: list[Finding]) -> Iterator[Seal]:
    """Read an anchor's lines; one that was cut short by a crash is written whole behind, and is no damage."""
    broken: tuple[int, bytes] | None = None
    for number, line in enumerate(lines, 1):
        if broken and not line.startswith(broken[1]):
            findings.append(_damaged(name, broken[0]))
        broken = None
        try:
            seal = seal_of(line)
        except ValueError:
            broken = (number, line.rstrip(b"\n"))
        else:
            yield seal
    if broken:
        findings.append(_damaged(name, broken[0]))


def _damaged(name: str, line: int) -> Finding:
    return Finding(Verdict.ANCHOR_DAMAGED, f"line {line} of {name} is no seal", anchor=name)


async def _lacking(database: Database, held: list[Seal]) -> list[Seal]:
    """Pick the seals that the database does not have, and that no acknowledged gap explains."""
    async with database.read(EVERYTHING) as tx:
        known = await seals.by_number(tx, [seal.number for seal in held])
        lost = [seal for seal in held if seal.number not in known or known[seal.number].digest != seal.digest]
        later = await seals.replacing(tx) if lost else []
    return [seal for seal in lost if not any(one.gives_up(seal) for one in later)]


async def _about_none(database: Database, name: str) -> list[Finding]:
    async with database.read(EVERYTHING) as tx:
        newest = await seals.last(tx)
    if newest is None:
        return []
    text = f"{name} has no seal, though the database has {newest.seal.number + 1}"
    return [Finding(Verdict.ANCHOR_EMPTY, text, anchor=name)]


async def _about_lost(database: Database, name: str, lost: list[Seal]) -> list[Finding]:
    """Tell how the database came to lack seals: they were replaced, removed, or it is an older copy."""
    if not lost:
        return []
    first, last = min(lost, key=lambda seal: seal.number), max(lost, key=lambda seal: seal.number)
    async with database.read(EVERYTHING) as tx:
        newest = await seals.last(tx)
        instead = await seals.get(tx, first.number)
        given = await seals.last_given(tx)
        reused = await seals.unsealed(tx, after=newest.settled if newest else 0, limit=1)
    if instead is not None:
        if not is_signed(instead.seal.signed(), instead.seal.signature, instead.seal.key):
            return []  # that seal was changed, and the walk has said so
        verdict = Verdict.RESEALED
        text = f"{name} has another seal {first.number}: what lies behind the seal before it was sealed anew"
    else:
        is_older = given < last.last_line or any(row["id"] <= last.last_line and row["at"] > last.at for row in reused)
        verdict = Verdict.RESTORED if is_older else Verdict.TRUNCATED
        how = "it is an older copy" if is_older else "its end was removed"
        ends = f"ends with seal {newest.seal.number}" if newest else "has none"
        text = (
            f"{name} has seals up to {last.number}, over lines up to {last.last_line}, and the database {ends}: {how}"
        )
    return [Finding(verdict, text, seal=first.number, anchor=name)]
