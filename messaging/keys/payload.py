"""One document at rest: compressed, and encrypted with a key of its own (AES-256-GCM), bound to what it belongs to."""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from messaging.keys.master import KEY_BYTES

ENCRYPTED = "gcm"
ENCRYPTED_DEFLATE = "gcm+deflate"
PLAIN = "plain"
DEFLATE = "deflate"
UNENCRYPTED = (PLAIN, DEFLATE)
"""How documents were kept before they were encrypted."""

NONCE_BYTES = 12
_WORTH_COMPRESSING = 200


class DamagedPayload(Exception):
    """What is kept is not what was written: bits have turned, or rows have changed places."""


@dataclass(frozen=True, slots=True)
class About:
    """What an encrypted content belongs to; it opens for nothing else.

    `kind` tells a message's document from a refused one and from what an AppRec said; `sender` is the sender's HER-id,
    0 where that is not known.
    """

    kind: str
    id: UUID
    sender: int

    def bound(self, form: str) -> bytes:
        """Write it as associated data, with the format's version first."""
        parts = (form.encode(), self.kind.encode(), self.id.bytes, self.sender.to_bytes(8, "big"))
        return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A content encrypted, and its key wrapped with the encryption key whose id is `key_id`."""

    form: str
    content: bytes
    key_id: str
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class Payload:
    """A content as it lies in the database; `size` is how long it was before. Without a key it is not encrypted."""

    about: About
    form: str
    content: bytes
    size: int
    key_id: str | None = None
    wrapped: bytes | None = None

    @property
    def lies_unencrypted(self) -> bool:
        """Whether it lies as documents did before there was encryption."""
        return self.form in UNENCRYPTED and self.key_id is None


def new_key() -> bytes:
    """Make a random key."""
    return os.urandom(KEY_BYTES)


def encrypt(content: bytes, key: bytes, about: About) -> tuple[str, bytes]:
    """Compress what is worth it, and encrypt; returns the format's name, and nonce and ciphertext."""
    form, packed = ENCRYPTED, content
    if len(content) >= _WORTH_COMPRESSING:
        form, packed = ENCRYPTED_DEFLATE, zlib.compress(content, 1)
    nonce = os.urandom(NONCE_BYTES)
    return form, nonce + AESGCM(key).encrypt(nonce, packed, about.bound(form))


def decrypt(payload: Payload, key: bytes) -> bytes:
    """Give back what was encrypted. Raises DamagedPayload."""
    nonce, rest = payload.content[:NONCE_BYTES], payload.content[NONCE_BYTES:]
    try:
        packed = AESGCM(key).decrypt(nonce, rest, payload.about.bound(payload.form))
    except (InvalidTag, ValueError) as error:
        raise DamagedPayload from error
    return unpacked(packed, payload.size, compressed=payload.form == ENCRYPTED_DEFLATE)


def unpacked(packed: bytes, size: int, *, compressed: bool) -> bytes:
    """Decompress, never to more than the size that is known. Raises DamagedPayload when it is not exactly that."""
    content = packed
    if compressed:
        try:
            content = zlib.decompressobj().decompress(packed, size + 1)
        except zlib.error as error:
            raise DamagedPayload from error
    if len(content) != size:
        raise DamagedPayload
    return content
