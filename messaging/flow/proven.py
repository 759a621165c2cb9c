"""Proven: a message's proof checked here as anybody can check it elsewhere, by this exchange's own key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from messaging.model.merkle import leaf_hash, proves_inclusion
from messaging.model.seal import Seal, canonical
from messaging.signing import is_signed


@dataclass(frozen=True, slots=True)
class Proven:
    """What a check found, by the numbers of lines and seals."""

    lines: tuple[int, ...] = ()
    """Lines that are as they were sealed."""
    changed: tuple[int, ...] = ()
    """Lines that do not lead to the root which their seal signs: they were changed, or the seal was."""
    unsigned: tuple[int, ...] = ()
    """Seals that are not signed as they stand."""
    foreign: tuple[int, ...] = ()
    """Seals that another key has signed: an earlier one of ours, or somebody else's."""
    unsealed: tuple[int, ...] = ()
    """Lines so new that no seal covers them yet."""

    @property
    def is_whole(self) -> bool:
        """Whether every line that is sealed is as it was sealed, under this exchange's own key."""
        return not (self.changed or self.unsigned or self.foreign)


def check(proof: Mapping[str, Any], key: bytes | None) -> Proven:
    """Check what `prove` gave with the public key of this exchange; without a key every seal is a foreign one."""
    seals = {seal.number: seal for seal in map(Seal.read, proof["seals"])}
    led = {one["line"]["id"]: _leads(one, seals[one["seal"]], proof["message_id"]) for one in proof["lines"]}
    return Proven(
        lines=tuple(number for number, good in led.items() if good),
        changed=tuple(number for number, good in led.items() if not good),
        unsigned=tuple(
            number for number, seal in seals.items() if not is_signed(seal.signed(), seal.signature, seal.key)
        ),
        foreign=tuple(number for number, seal in seals.items() if seal.key != key),
        unsealed=tuple(proof["unsealed"]),
    )


def _leads(one: Mapping[str, Any], seal: Seal, message_id: str) -> bool:
    path = [bytes.fromhex(step) for step in one["proof"]]
    leaf = leaf_hash(canonical(one["line"]))
    return one["line"]["message_id"] == message_id and proves_inclusion(leaf, one["index"], seal.size, path, seal.root)
