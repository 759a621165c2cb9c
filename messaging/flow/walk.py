"""The walk along the audit log: leaves and seals in order, hashed again, and what is not as it was signed named."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

from messaging.model.merkle import Tree, leaf_hash
from messaging.model.seal import Finding, Seal, Verdict, line_bytes
from messaging.signing import is_signed
from messaging.store.seals import Kept

_COMPARED = 50
"""So many edited lines are compared with each other, to tell whether they only changed places."""

_MOST_FINDINGS = 1_000


class Walk:
    """Goes through seals and their leaves, and keeps what it finds; one changed line never hides the next."""

    def __init__(self, start: Kept | None, *, end: int) -> None:
        self.before = start
        self.lines = 0
        self.seals = 0
        self.more = 0
        """Findings beyond those that are kept."""
        self.findings: list[Finding] = []
        self.index = start.seal.size if start else 0
        self._end = end
        """Behind the last leaf that there is."""
        self._tree = _tree_of(start) if start else Tree()
        self._all_there = True
        self._last_id = 0
        self._out_of_order: int | None = None
        self._edited: list[tuple[int, bytes, list[Any]]] = []
        self._gone: tuple[int, int] | None = None

    def leaf(self, row: Any) -> None:
        """Check one leaf: that none was left out before it, and that its line gives its hash."""
        index, line, leaf, *kept = row
        if index != self.index:
            self._lacks_until(index)
        if kept[0] is None:
            self._gone = (self._gone[0] if self._gone else line, line)
        else:
            if self._gone:
                self._tell_gone()
            if leaf_hash(line_bytes(*kept)) != leaf:
                self._is_edited(line, leaf, kept)
        if line < self._last_id and self._out_of_order is None:
            self._out_of_order = line
        self._last_id = line
        if self._tree is not None:
            self._tree.append(leaf)
        self.index += 1
        self.lines += 1

    def seal(self, kept: Kept) -> None:
        """Check a seal, its leaves having gone before."""
        seal, before = kept.seal, self.before.seal if self.before else None
        self._lacks_until(seal.size)
        expected = before.number + 1 if before else 0
        if seal.number != expected:
            self._found(Verdict.SEAL_DELETED, f"{_range('seal', expected, seal.number)} gone", seal=expected)
        elif seal.previous != (before.digest if before else None):
            self._seal_changed(seal if before is None or _is_signed(before) else before)
        if before is not None and seal.key != before.key:
            self._found(Verdict.KEY_CHANGED, f"from seal {seal.number} on, another key signs", seal=seal.number)
        if self._tree is not None and self._all_there:
            self._check_root(kept, self._tree)
        self._go_on_from(kept)

    def finish(self, newest: Seal, key: bytes | None) -> None:
        """Check the newest seal's signature, which the links carry to all before it; tell what only the end shows."""
        self._tell_gone()
        if not _is_signed(newest):
            self._seal_changed(newest)
        elif key is not None and newest.key != key:
            text = f"seal {newest.number} is signed with a key that is not this exchange's audit_key_file"
            self._found(Verdict.FOREIGN_KEY, text, seal=newest.number)
        if self._end < newest.size:
            gone = _range("leaf", self._end, newest.size)
            self._found(Verdict.TRUNCATED, f"{gone} gone from the end, though seal {newest.number} covers them")
        elif self._end > newest.size:
            text = f"the seals over the leaves from {newest.size} on are gone from the end"
            self._found(Verdict.TRUNCATED, text, seal=newest.number + 1)
        moved = set(_moved(self._edited))
        for line, _, _ in self._edited:
            if line in moved:
                self._found(Verdict.REORDERED, f"line {line} has changed places with another", line=line)
            else:
                self._tell_edited(line)

    def _found(self, verdict: Verdict, text: str, *, line: int | None = None, seal: int | None = None) -> None:
        if len(self.findings) < _MOST_FINDINGS:
            self.findings.append(Finding(verdict, text, line=line, seal=seal))
        else:
            self.more += 1

    def _is_edited(self, line: int, leaf: bytes, kept: list[Any]) -> None:
        if len(self._edited) < _COMPARED:
            self._edited.append((line, leaf, kept))
        else:
            self._tell_edited(line)

    def _tell_edited(self, line: int) -> None:
        self._found(Verdict.EDITED, f"line {line} does not say what was sealed", line=line)

    def _tell_gone(self) -> None:
        if self._gone is not None:
            first, last = self._gone
            self._found(Verdict.DELETED, f"{_range('line', first, last + 1)} gone", line=first)
            self._gone = None

    def _lacks_until(self, index: int) -> None:
        """Say which leaves are not there, but for those at the very end, which `finish` tells together."""
        if index <= self.index:
            return
        self._all_there = False
        if self.index < self._end:
            gone = _range("leaf", self.index, min(index, self._end))
            self._found(Verdict.DELETED, f"{gone} gone from the tree, and with it what was sealed there")
        self.index = index

    def _seal_changed(self, seal: Seal) -> None:
        known = (one for one in self.findings if one.seal == seal.number)
        if not any(one.verdict is Verdict.SEAL_CHANGED for one in known):
            text = f"seal {seal.number} is not the one that was signed, or does not follow the one before it"
            self._found(Verdict.SEAL_CHANGED, text, seal=seal.number)

    def _check_root(self, kept: Kept, tree: Tree) -> None:
        seal = kept.seal
        if tree.size == seal.size and tree.root() == seal.root:
            if tree.to_bytes() != kept.peaks:
                self._seal_changed(seal)
        elif not _is_signed(seal):
            self._seal_changed(seal)
        elif self._out_of_order is not None:
            text = f"lines under seal {seal.number} have changed places, line {self._out_of_order} among them"
            self._found(Verdict.REORDERED, text, line=self._out_of_order, seal=seal.number)
        else:
            leaves = _range("leaf", self.before.seal.size if self.before else 0, seal.size)
            text = f"{leaves} changed: what is there does not give the root that seal {seal.number} signs"
            self._found(Verdict.REWRITTEN, text, seal=seal.number)

    def _go_on_from(self, kept: Kept) -> None:
        """Take what the seal signs as given."""
        self._tree = _tree_of(kept)
        self.before, self._all_there, self._last_id, self._out_of_order = kept, True, 0, None
        self.index = max(self.index, kept.seal.size)
        self.seals += 1


def _tree_of(kept: Kept) -> Tree | None:
    """Give the tree that a seal signs, to go on from; None when what is kept beside the seal does not give it."""
    try:
        return kept.tree()
    except ValueError:
        return None


def _is_signed(seal: Seal) -> bool:
    return is_signed(seal.signed(), seal.signature, seal.key)


def _range(noun: str, first: int, end: int) -> str:
    plural = "leaves" if noun == "leaf" else f"{noun}s"
    return f"{noun} {first} is" if end == first + 1 else f"{plural} {first} to {end - 1} are"


def _moved(edited: list[tuple[int, bytes, list[Any]]]) -> Iterator[int]:
    """Name the lines whose hash another one gives, with its own id or with theirs."""
    for (line, leaf, kept), (_, _, other) in permutations(edited, 2):
        if leaf in (leaf_hash(line_bytes(*other)), leaf_hash(line_bytes(kept[0], *other[1:]))):
            yield line
