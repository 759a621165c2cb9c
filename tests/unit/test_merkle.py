"""Merkle trees: as RFC 9162 defines them, every proof verifies, and no changed proof does."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.model.merkle import (
    EMPTY_ROOT,
    Grown,
    Tree,
    leaf_hash,
    node_hash,
    proves_consistency,
    proves_inclusion,
    root_of,
)

LEAVES = [leaf_hash(str(number).encode()) for number in range(130)]


def by_definition(leaves: list[bytes]) -> bytes:
    """Hash a tree word by word as RFC 9162, 2.1.1 has it."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + by_definition(leaves[:split]) + by_definition(leaves[split:])).digest()


def grown(size: int, first: int = 0) -> Grown:
    before = Tree()
    for leaf in LEAVES[:first]:
        before.append(leaf)
    return Grown(before, LEAVES[first:size])


# The entries of the vectors that Certificate Transparency implementations share; the roots follow from SHA-256 alone.
ENTRIES = [
    bytes.fromhex(entry)
    for entry in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


@pytest.mark.parametrize(("size", "root"), ROOTS.items())
def test_the_known_entries_have_the_known_roots(size: int, root: str) -> None:
    leaves = [leaf_hash(entry) for entry in ENTRIES[:size]]
    assert root_of(leaves).hex() == by_definition(leaves).hex() == root


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert Tree().root() == Grown(Tree(), []).root() == EMPTY_ROOT == by_definition([])


def test_a_leaf_is_no_node() -> None:
    left, right = LEAVES[:2]
    assert leaf_hash(left + right) != node_hash(left, right)


@given(st.integers(0, 130))
def test_a_growing_tree_has_the_root_that_the_definition_gives(size: int) -> None:
    assert root_of(LEAVES[:size]) == by_definition(LEAVES[:size]) == grown(size).root()


@given(st.integers(0, 130), st.data())
def test_a_tree_goes_on_growing_from_its_peaks(size: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, size))
    tree = Tree()
    for leaf in LEAVES[:first]:
        tree.append(leaf)
    again = Tree.from_bytes(first, tree.to_bytes())
    for leaf in LEAVES[first:size]:
        again.append(leaf)
    assert again.root() == grown(size, first).root() == by_definition(LEAVES[:size])


@pytest.mark.parametrize(("size", "peaks"), [(1, b""), (2, bytes(64)), (0, bytes(32)), (1, bytes(31))])
def test_what_cannot_be_the_peaks_of_a_tree_is_refused(size: int, peaks: bytes) -> None:
    with pytest.raises(ValueError, match="peaks"):
        Tree.from_bytes(size, peaks)


def mutations(proof: list[bytes], data: st.DataObject) -> list[bytes]:
    """Change a proof in one way: a bit, a step missing, doubled, added, or two steps swapped."""
    kind = data.draw(st.sampled_from(["bit", "missing", "added", "swapped"] if proof else ["added"]))
    changed = list(proof)
    at = data.draw(st.integers(0, max(len(proof) - 1, 0)))
    if kind == "bit":
        step = bytearray(changed[at])
        step[data.draw(st.integers(0, 31))] ^= 1 << data.draw(st.integers(0, 7))
        changed[at] = bytes(step)
    elif kind == "missing":
        del changed[at]
    elif kind == "added":
        changed.insert(at, data.draw(st.sampled_from([LEAVES[0], bytes(32), *proof])))
    else:
        other = data.draw(st.integers(0, len(proof) - 1))
        changed[at], changed[other] = changed[other], changed[at]
    return changed


@given(st.integers(1, 130), st.data())
def test_every_leaf_is_proved_and_no_changed_proof_passes(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    tree = grown(size, data.draw(st.integers(0, index)))
    root, proof = tree.root(), tree.inclusion(index)
    assert proves_inclusion(LEAVES[index], index, size, proof, root)
    changed = mutations(proof, data)
    assert proves_inclusion(LEAVES[index], index, size, changed, root) is (changed == proof)
    other = data.draw(st.integers(0, size).filter(lambda wrong: wrong != index))
    assert not proves_inclusion(LEAVES[index], other, size, proof, root)
    assert not proves_inclusion(leaf_hash(b"another"), index, size, proof, root)
    assert not proves_inclusion(LEAVES[index], index, size, proof, leaf_hash(root))


@given(st.integers(1, 130), st.data())
def test_every_older_tree_is_proved_and_no_changed_proof_passes(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    tree = grown(size, data.draw(st.integers(0, old)))
    before, root, proof = by_definition(LEAVES[:old]), tree.root(), tree.consistency(old)
    assert proves_consistency(old, size, before, root, proof)
    changed = mutations(proof, data)
    assert proves_consistency(old, size, before, root, changed) is (changed == proof)
    wrong = by_definition(LEAVES[: old - 1])
    assert not proves_consistency(old, size, wrong, root, proof)
    assert not proves_consistency(old, size, before, leaf_hash(root), proof)
    assert not proves_consistency(size + 1, size, before, root, proof)


def test_what_a_tree_did_not_grow_by_cannot_be_proved() -> None:
    tree = grown(20, 8)
    for index in (7, 20, -1):
        with pytest.raises(IndexError):
            tree.inclusion(index)
    for old in (0, 7, 21):
        with pytest.raises(IndexError):
            tree.consistency(old)
    assert not proves_inclusion(LEAVES[0], 0, 0, [], EMPTY_ROOT)
    assert not proves_consistency(0, 5, EMPTY_ROOT, grown(5).root(), [])
