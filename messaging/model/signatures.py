"""When a document's signature is looked at: for which messages, and how strictly."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum


class SignaturePolicy(StrEnum):
    """What is asked of a document's signature (W3C XML Signature)."""

    IGNORE = "ignore"
    """It is carried like the rest of the document, and not looked at."""
    VERIFY = "verify"
    """A document need not be signed; one that is must be signed rightly."""
    REQUIRE = "require"
    """A document must be signed, and rightly."""


_STRICT = (SignaturePolicy.IGNORE, SignaturePolicy.VERIFY, SignaturePolicy.REQUIRE)


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One line of policy: for one type, for one receiver, for both, or for all."""

    policy: SignaturePolicy
    type: str | None = None
    her_id: int | None = None

    @property
    def weight(self) -> tuple[bool, bool, int]:
        """Tell which of two lines counts: for a receiver before for a type before for all, then the stricter."""
        return self.her_id is not None, self.type is not None, _STRICT.index(self.policy)


@dataclass(frozen=True, slots=True)
class SignaturePolicies:
    """Which signatures are looked at; with no line, none is."""

    lines: tuple[SignatureLine, ...] = ()

    def policy(self, type_: str, receivers: Collection[int]) -> SignaturePolicy:
        """Tell what is asked of a message; a line for a receiver counts when it is one among them."""
        fitting = [
            line
            for line in self.lines
            if (line.type is None or line.type == type_) and (line.her_id is None or line.her_id in receivers)
        ]
        return max(fitting, key=lambda line: line.weight).policy if fitting else SignaturePolicy.IGNORE

    @property
    def look_at_any(self) -> bool:
        """Whether there is any message whose signature is looked at."""
        return any(line.policy is not SignaturePolicy.IGNORE for line in self.lines)
