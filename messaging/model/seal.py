"""The audit log's proof: the bytes of a line that are hashed, the seal that signs them, and what a check can find.

Version 1 of both forms, and of the hashing, never changes; docs/audit.md describes them for whoever checks elsewhere.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from json.encoder import encode_basestring as _quoted
from typing import Any

VERSION = 1
_CONTEXT = b"samhandling audit seal 1\n"

_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def _number(text: str) -> float | str:
    """Read a number alike whatever database kept it: PostgreSQL gives 1e2 back as 100, SQLite as 100.0."""
    number = float(text)
    if not math.isfinite(number):
        return text
    return int(number) if number.is_integer() else number


_decode = json.JSONDecoder(parse_float=_number, parse_constant=str).decode


def canonical(value: Any) -> bytes:
    """Write JSON in the one form that is hashed: UTF-8, keys in order, no blanks (RFC 8785, for what the log holds)."""
    return _encode(value).encode()


def line_bytes(  # noqa: PLR0917 - a row's columns, in their order
    line_id: int,
    at: str,
    event: str,
    actor: str,
    message_id: str | None,
    delivery_id: str | None,
    her_id: int | None,
    detail: str,
) -> bytes:
    """Write an audit line as it is hashed, exported and proved: canonical JSON of every column and of the version.

    `at` is in UTC to the microsecond, `detail` any JSON text. Put together by hand, since a million of them are checked
    at a time; it is what `canonical` would give.
    """
    return (
        f'{{"actor":{_quoted(actor)},"at":{_quoted(at)},"delivery_id":{_optional(delivery_id)},"detail":{_detail(detail)},'
        f'"event":{_quoted(event)},"her_id":{"null" if her_id is None else her_id},"id":{line_id},'
        f'"message_id":{_optional(message_id)},"v":{VERSION}}}'
    ).encode()


def _optional(text: str | None) -> str:
    return "null" if text is None else _quoted(text)


@lru_cache(maxsize=1 << 14)
def _detail(text: str) -> str:
    """Bring the detail of a line into its one form; what is no JSON, which only a forger writes, is taken as text."""
    try:
        return _encode(_decode(text))
    except ValueError:
        return _encode(text)


def moment(at: datetime) -> str:
    """Write a time in UTC to the microsecond."""
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


@dataclass(frozen=True, slots=True)
class Seal:
    """A signed tree head: so many lines give this root; linked to the seal before, and signed with Ed25519."""

    number: int
    size: int
    root: bytes
    last_line: int
    """The highest id of a line so far."""
    at: datetime
    previous: bytes | None
    """The digest of the seal before; None for the first."""
    key: bytes
    """The public key that checks the signature."""
    replaces: tuple[bytes, ...] = ()
    """The digests of anchored seals that a restored database no longer had, and that an operator gave up."""
    signature: bytes = b""

    def _fields(self) -> dict[str, Any]:
        return {
            "v": VERSION,
            "number": self.number,
            "size": self.size,
            "root": self.root.hex(),
            "last_line": self.last_line,
            "at": moment(self.at),
            "previous": self.previous.hex() if self.previous else None,
            "key": self.key.hex(),
            "replaces": [digest.hex() for digest in self.replaces],
        }

    def signed(self) -> bytes:
        """Give the bytes under the signature."""
        return _CONTEXT + canonical(self._fields())

    def told(self) -> dict[str, Any]:
        """Give the seal as it is anchored and exported."""
        return {**self._fields(), "signature": self.signature.hex()}

    @property
    def digest(self) -> bytes:
        """What the next seal and the anchors know this one by; the signature is part of it."""
        return sha256(_CONTEXT + canonical(self.told())).digest()

    def gives_up(self, lost: Seal) -> bool:
        """Tell whether this seal follows on a gap that an operator acknowledged, and the lost one lay in the gap.

        It went on from the seal before its own number; so all that bore this number or a higher one earlier is lost.
        """
        earlier = lost.number >= self.number and lost.at < self.at
        return lost.digest in self.replaces or (bool(self.replaces) and earlier)

    @classmethod
    def read(cls, told: Any) -> Seal:
        """Read what `told` gave. Raises ValueError when it is no seal of this version."""
        try:
            seal = cls(
                number=int(told["number"]),
                size=int(told["size"]),
                root=bytes.fromhex(told["root"]),
                last_line=int(told["last_line"]),
                at=datetime.fromisoformat(told["at"]),
                previous=bytes.fromhex(told["previous"]) if told["previous"] else None,
                key=bytes.fromhex(told["key"]),
                replaces=tuple(bytes.fromhex(digest) for digest in told["replaces"]),
                signature=bytes.fromhex(told["signature"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("that is no seal") from error
        if seal.told() != told:
            raise ValueError("that is no seal of version 1")
        return seal


class Verdict(StrEnum):
    """What a check of the audit log can find."""

    EDITED = "edited"
    """A line no longer says what was sealed."""
    DELETED = "deleted"
    """A sealed line, or its place in the tree, is gone."""
    REORDERED = "reordered"
    """Lines have changed places."""
    INSERTED = "inserted"
    """A line stands among the sealed ones and was never sealed."""
    REWRITTEN = "rewritten"
    """The lines of a seal and their hashes were changed together: they do not give the root that was signed."""
    TRUNCATED = "truncated"
    """The end of the log is gone; the database has given out the numbers of the lines that are missing."""
    RESTORED = "restored"
    """The end of the log is gone, and the database does not know of it: it is an older copy."""
    RESEALED = "resealed"
    """Other lines were sealed under the number of a seal that an anchor has."""
    SEAL_CHANGED = "seal changed"
    """A seal is not the one that was signed, or does not follow the one before."""
    SEAL_DELETED = "seal deleted"
    """The numbers of the seals have a hole."""
    FOREIGN_KEY = "foreign key"
    """The newest seal is signed with another key than this exchange's."""
    ANCHOR_DAMAGED = "anchor damaged"
    """An anchor holds something that is no seal."""
    ANCHOR_EMPTY = "anchor empty"
    """An anchor that can be read has no seal, though the database has."""
    GAP = "gap"
    """Seals were lost with a restore, and an operator has acknowledged it; a notice."""
    UNSEALED = "unsealed"
    """The newest lines have no seal yet; a notice."""
    KEY_CHANGED = "key changed"
    """From here on another key signs; a notice."""


NOTICES = frozenset({Verdict.GAP, Verdict.UNSEALED, Verdict.KEY_CHANGED})
"""What is told, and is no sign of a changed log."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found: the verdict, where, and a sentence."""

    verdict: Verdict
    text: str
    line: int | None = None
    seal: int | None = None
    anchor: str | None = None

    @property
    def is_notice(self) -> bool:
        """Whether the log may be whole all the same."""
        return self.verdict in NOTICES
