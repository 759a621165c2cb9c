"""The vault: encrypts documents and opens them, with keys that lie wrapped in the database and open once a process.

Three steps: a **master key** outside the database wraps a few **encryption keys** inside it; the newest of these wraps
each **payload key**; and that encrypts one document. A hardware token is thus asked once a start, not once a message.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from messaging.errors import ConfigurationError, Unavailable
from messaging.keys.master import MasterKey, WrongKey
from messaging.keys.payload import (
    DEFLATE,
    NONCE_BYTES,
    About,
    DamagedPayload,
    Payload,
    Sealed,
    decrypt,
    encrypt,
    new_key,
    unpacked,
)

PAYLOAD = "payload"
PATIENT = "patient"
LEGACY = "legacy"
"""What an encryption key is for: wrapping payload keys, keying the hashes of patients' numbers, or saying that
documents may lie here unencrypted, from before there was encryption."""

_LEGACY_SAYS = b"documents may lie here from before there was encryption"
_ID_BYTES = 8


class MissingKey(Unavailable):
    """A document cannot be opened, because this process has not been given the master key."""


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    """A key as it lies in the database: wrapped, and with which master key."""

    id: str
    purpose: str
    master: str
    wrapped: bytes
    created_at: datetime


class Vault:
    """Holds the master keys (the first one wraps what is new) and, opened, the encryption keys of the database."""

    def __init__(self, masters: Sequence[MasterKey]) -> None:
        self._masters = {master.id: master for master in masters}
        self._first = masters[0]
        self._wrappers: dict[str, AESGCM] = {}
        self._patient: bytes | None = None
        self._legacy: EncryptionKey | None = None
        self._current = ""

    @property
    def current(self) -> str:
        """The id of the encryption key that wraps the keys of new documents."""
        return self._current

    @property
    def master_ids(self) -> list[str]:
        """The ids of the master keys, the one that wraps what is new first."""
        return list(self._masters)

    @property
    def opens_unencrypted(self) -> bool:
        """Whether documents from before there was encryption are opened; else an unencrypted one is a damaged one."""
        return self._legacy is not None

    def learn(self, keys: Iterable[EncryptionKey]) -> None:
        """Open the database's keys; the newest for payloads is the one to use.

        Raises ConfigurationError that names the master key that is lacking.
        """
        newest, legacy = None, None
        for key in keys:
            if key.purpose == PATIENT:
                self._patient = self._patient or self._opened(key)
                continue
            if key.purpose == LEGACY:
                legacy = key if key == self._legacy or key.id == _legacy_id(self._opened(key)) else legacy
                continue
            if key.id not in self._wrappers:
                self._wrappers[key.id] = AESGCM(self._opened(key))
            if newest is None or (key.created_at, key.id) > (newest.created_at, newest.id):
                newest = key
        self._legacy = legacy
        if newest is not None:
            self._current = newest.id

    def make(self, purpose: str, at: datetime) -> EncryptionKey:
        """Make an encryption key, wrapped with the first master key."""
        key = new_key()
        key_id = _legacy_id(key) if purpose == LEGACY else secrets.token_hex(_ID_BYTES)
        return EncryptionKey(key_id, purpose, self._first.id, self._first.wrap(key), at)

    def rewrapped(self, key: EncryptionKey) -> EncryptionKey:
        """Wrap an encryption key anew, with the first master key."""
        return EncryptionKey(key.id, key.purpose, self._first.id, self._first.wrap(self._opened(key)), key.created_at)

    def _opened(self, key: EncryptionKey) -> bytes:
        master = self._masters.get(key.master)
        if master is None:
            raise ConfigurationError(
                f"The database's {key.purpose} key {key.id} is wrapped with the master key {key.master}, and "
                f"encryption_keys gives only {', '.join(self._masters)}. Put the file or value of {key.master} back, "
                "beside a newer one if there is one; without it the documents cannot be read."
            )
        try:
            return master.unwrap(key.wrapped)
        except WrongKey:
            raise ConfigurationError(
                f"The database's {key.purpose} key {key.id} does not open with the master key {key.master}: its row "
                "in encryption_key is damaged. Put that row back from the backup of the keys."
            ) from None

    def seal(self, content: bytes, about: About) -> Sealed:
        """Encrypt a content with a new key of its own, and wrap that."""
        key = new_key()
        form, encrypted = encrypt(content, key, about)
        return Sealed(form, encrypted, self._current, self._wrap(key, about.id))

    def open(self, payload: Payload) -> bytes:
        """Give a content back. Raises DamagedPayload, or MissingKey when this process lacks the key to its key."""
        if payload.lies_unencrypted and self.opens_unencrypted:
            return unpacked(payload.content, payload.size, compressed=payload.form == DEFLATE)
        return decrypt(payload, self._unwrap(payload.about.id, payload.key_id, payload.wrapped))

    def rewrap(self, content_id: UUID, key_id: str, wrapped: bytes) -> bytes:
        """Wrap a document's key anew, with the current encryption key. Raises DamagedPayload, MissingKey."""
        return self._wrap(self._unwrap(content_id, key_id, wrapped), content_id)

    def patient_hash(self, number: str) -> bytes:
        """Hash a patient's national number with the key that is for that alone: messages are found by it.

        Nothing, for no number.
        """
        if self._patient is None:
            raise RuntimeError("a vault hashes nothing before it has learnt its keys")
        return hmac.new(self._patient, number.encode(), hashlib.sha256).digest() if number else b""

    def _wrap(self, key: bytes, content_id: UUID) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._wrappers[self._current].encrypt(nonce, key, _bound(self._current, content_id))

    def _unwrap(self, content_id: UUID, key_id: str | None, wrapped: bytes | None) -> bytes:
        if key_id is None or wrapped is None:
            raise DamagedPayload
        wrapper = self._wrappers.get(key_id)
        if wrapper is None:
            raise MissingKey(
                "The document's key was renewed and this process does not know the new one yet; repeat in a moment."
            )
        try:
            return wrapper.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _bound(key_id, content_id))
        except (InvalidTag, ValueError) as error:
            raise DamagedPayload from error


def _legacy_id(key: bytes) -> str:
    """Name a key for LEGACY after itself: another key that is copied into such a row does not have that name."""
    return hmac.new(key, _LEGACY_SAYS, hashlib.sha256).digest()[:_ID_BYTES].hex()


def _bound(key_id: str, content_id: UUID) -> bytes:
    return key_id.encode() + content_id.bytes
