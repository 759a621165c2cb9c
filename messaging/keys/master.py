"""Master keys: they lie outside the database, and wrap the few keys inside it that all the others depend on."""

from __future__ import annotations

import hashlib
from typing import Protocol

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

KEY_BYTES = 32
"""AES with 256 bits, everywhere."""

NAMED_BY = b"samhandling master key".ljust(KEY_BYTES, b".")


class WrongKey(Exception):
    """A wrapped key was not wrapped with this master key, or is damaged."""


class MasterKey(Protocol):
    """What wraps keys of 32 bytes (AES Key Wrap, RFC 3394): a file, a value of the environment, or a hardware token."""

    @property
    def id(self) -> str:
        """Name the key, the same wherever it lies; the name tells nothing of the key."""

    def wrap(self, key: bytes) -> bytes:
        """Wrap a key."""

    def unwrap(self, wrapped: bytes) -> bytes:
        """Give back the key that was wrapped. Raises WrongKey."""


class LocalKey:
    """A master key that this process holds in its memory."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.id = named(self.wrap(NAMED_BY))

    def wrap(self, key: bytes) -> bytes:
        """Wrap a key."""
        return aes_key_wrap(self._secret, key)

    def unwrap(self, wrapped: bytes) -> bytes:
        """Give back the key that was wrapped. Raises WrongKey."""
        try:
            return aes_key_unwrap(self._secret, wrapped)
        except (InvalidUnwrap, ValueError) as error:
            raise WrongKey from error


def named(check: bytes) -> str:
    """Name a master key by what it makes of a text that everybody knows (RFC 3394 gives the same each time)."""
    return hashlib.sha256(b"id" + check).hexdigest()[:16]
