"""Merkle trees as RFC 9162 (Certificate Transparency 2.0) hashes them: SHA-256, a leaf under 0x00, a node under 0x01.

A tree grows at its right end. Its *peaks* are the roots of the largest complete subtrees, from left to right: they are
all that is needed to go on growing it, so that a new head never reads the old leaves again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

HASH_SIZE = 32
EMPTY_ROOT = sha256().digest()


def leaf_hash(entry: bytes) -> bytes:
    """Hash one entry (RFC 9162, 2.1.1)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into one (RFC 9162, 2.1.1)."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree that grows: its size and its peaks, and nothing of the leaves."""

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size = size
        self.peaks = list(peaks)
        if len(self.peaks) != size.bit_count():
            raise ValueError("a tree has as many peaks as its size has ones in binary")

    def append(self, leaf: bytes) -> None:
        """Add one leaf's hash."""
        peaks = self.peaks
        size = self.size
        while size & 1:
            leaf = sha256(b"\x01" + peaks.pop() + leaf).digest()
            size >>= 1
        peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Hash the whole tree."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root

    def copy(self) -> Tree:
        """Give a tree that grows on its own."""
        return Tree(self.size, self.peaks)

    def to_bytes(self) -> bytes:
        """Write the peaks one after the other."""
        return b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, size: int, peaks: bytes) -> Tree:
        """Read what `to_bytes` wrote. Raises ValueError when it cannot be the peaks of a tree of that size."""
        if len(peaks) % HASH_SIZE:
            raise ValueError("peaks are hashes of 32 bytes")
        return cls(size, (peaks[at : at + HASH_SIZE] for at in range(0, len(peaks), HASH_SIZE)))


class Grown:
    """A tree and the leaves it grew by: enough to prove each of these leaves, and that nothing older has changed."""

    def __init__(self, before: Tree, leaves: Sequence[bytes]) -> None:
        self._first = before.size
        self._leaves = leaves
        self.size = before.size + len(leaves)
        self._peaks: dict[tuple[int, int], bytes] = {}
        start = 0
        for peak, bit in zip(before.peaks, _ones(before.size), strict=True):
            self._peaks[start, start + bit] = peak
            start += bit

    def root(self) -> bytes:
        """Hash the whole tree."""
        return self._hash(0, self.size) if self.size else EMPTY_ROOT

    def inclusion(self, index: int) -> list[bytes]:
        """Prove that a leaf is in the tree (RFC 9162, 2.1.3.1). Raises IndexError for one it did not grow by."""
        if not self._first <= index < self.size:
            raise IndexError(index)
        proof = []
        start, end = 0, self.size
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                proof.append(self._hash(middle, end))
                end = middle
            else:
                proof.append(self._hash(start, middle))
                start = middle
        return proof[::-1]

    def consistency(self, old_size: int) -> list[bytes]:
        """Prove that the tree begins with an older one (RFC 9162, 2.1.4.1). Raises IndexError below `before`."""
        if not max(self._first, 1) <= old_size <= self.size:
            raise IndexError(old_size)
        proof = []
        start, end, whole = 0, self.size, True
        while old_size != end:
            middle = start + _split(end - start)
            if old_size <= middle:
                proof.append(self._hash(middle, end))
                end = middle
            else:
                proof.append(self._hash(start, middle))
                start, whole = middle, False
        return ([] if whole else [self._hash(start, end)]) + proof[::-1]

    def _hash(self, start: int, end: int) -> bytes:
        """Hash the leaves of a range that a proof asks for: a peak of the old tree, or made of the new leaves."""
        peak = self._peaks.get((start, end))
        if peak is not None:
            return peak
        if end - start == 1:
            return self._leaves[start - self._first]
        middle = start + _split(end - start)
        return node_hash(self._hash(start, middle), self._hash(middle, end))


def _ones(size: int) -> list[int]:
    """Write a number as a sum of falling powers of two."""
    return [1 << bit for bit in reversed(range(size.bit_length())) if size >> bit & 1]


def _split(size: int) -> int:
    """Give the largest power of two below a size."""
    return 1 << ((size - 1).bit_length() - 1)


def proves_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Check that a leaf's hash is at an index of the tree with this size and root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(step, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, step)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def proves_consistency(old_size: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]) -> bool:
    """Check that the tree with this size and root begins with the older one (RFC 9162, 2.1.4.2)."""
    if not 0 < old_size <= size:
        return False
    if old_size == size:
        return not proof and old_root == root
    steps = iter(proof if old_size & (old_size - 1) else [old_root, *proof])
    at, last = old_size - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = now = next(steps, None)
    if before is None or now is None:
        return False
    for step in steps:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, now = node_hash(step, before), node_hash(step, now)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            now = node_hash(now, step)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old_root and now == root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Hash a tree of leaves' hashes."""
    tree = Tree()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()
