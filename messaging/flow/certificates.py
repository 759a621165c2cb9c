"""Certificates: which of them speak for a client. What counts is the key in one, by the SHA-256 of its SPKI."""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64decode
from urllib.parse import unquote

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from messaging.errors import InvalidRequest, NotFound
from messaging.flow.clients import require_client
from messaging.flow.exchange import Exchange
from messaging.flow.proof import hashed
from messaging.model.access import Action, authorise
from messaging.model.audit import AuditEvent
from messaging.model.party import Client
from messaging.model.sight import EVERYTHING, NOTHING
from messaging.store import audit, bindings
from messaging.store.bindings import CertificateBinding

_LONGEST = 32_768
_LONGEST_SUBJECT = 500


def read(text: str) -> x509.Certificate:
    """Read one certificate: PEM, PEM with percent signs (as nginx hands it on), or `:Base64:` (RFC 9440).

    Raises ValueError when it is none.
    """
    if len(text) > _LONGEST:
        raise ValueError("longer than a certificate")
    if text.startswith(":") and text.endswith(":"):
        try:
            return x509.load_der_x509_certificate(b64decode(text[1:-1], validate=True))
        except binascii.Error as error:
            raise ValueError("no Base64") from error
    return x509.load_pem_x509_certificate(unquote(text).encode("ascii", "replace"))


def spki_of(certificate: x509.Certificate) -> bytes:
    """Give the SHA-256 of a certificate's SubjectPublicKeyInfo, the same in every one of its key. Raises ValueError."""
    try:
        key = certificate.public_key()
    except UnsupportedAlgorithm as error:
        raise ValueError("a key of a kind that nobody knows") from error
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def thumbprint_of(text: str) -> str:
    """Give the SHA-256 of a whole certificate as `x5t#S256` has it (RFC 8705 chapter 3.1). Raises ValueError."""
    return hashed(read(text).public_bytes(Encoding.DER))


async def add(exchange: Exchange, actor: Client, client_id: str, text: str) -> CertificateBinding:
    """Let a certificate, and every later one of the same key, speak for a client.

    Raises NotFound (no such client), InvalidRequest (no certificate, an expired one, or one that speaks already).
    """
    authorise(actor, Action.ADMINISTER)
    now = exchange.clock()
    try:
        certificate = read(text)
        spki = spki_of(certificate)
    except (ValueError, TypeError):
        raise InvalidRequest("The file holds no certificate in PEM (-----BEGIN CERTIFICATE-----).") from None
    if certificate.not_valid_after_utc <= now:
        raise InvalidRequest("The certificate has expired; register the one that takes its place.")
    subject = certificate.subject.rfc4514_string()[:_LONGEST_SUBJECT]
    binding = CertificateBinding(spki, client_id, subject, certificate.not_valid_after_utc)
    async with exchange.database.write(EVERYTHING) as tx:
        await require_client(tx, client_id)
        held = await bindings.holder_of_certificate(tx.reader, spki)
        if held is not None:
            raise InvalidRequest(f"The certificate's key speaks for {held.id} already.")
        await bindings.add_certificate(tx, binding, at=now)
        detail = {"client": client_id, "spki": spki.hex(), "expires": binding.not_after.isoformat()}
        await audit.write(tx, audit.Line(now, AuditEvent.CERTIFICATE_ADDED, actor.id, detail=detail))
    exchange.directory.forget()
    return binding


async def remove(exchange: Exchange, actor: Client, client_id: str, begins: str) -> CertificateBinding:
    """Take a certificate from a client; named by the beginning of its SPKI hash. Raises NotFound."""
    authorise(actor, Action.ADMINISTER)
    async with exchange.database.read(NOTHING) as reading:
        named = [one for one in await bindings.certificates(reading, client_id) if one.spki.hex().startswith(begins)]
    if len(named) != 1 or not begins:
        raise NotFound(f"{len(named)} certificates of {client_id} begin with {begins!r}; name exactly one.")
    async with exchange.database.write(EVERYTHING) as tx:
        if not await bindings.remove_certificates(tx, client_id, spki=named[0].spki):
            raise NotFound("The certificate was taken away in the meantime.")
        detail = {"client": client_id, "spki": named[0].spki.hex()}
        await audit.write(tx, audit.Line(exchange.clock(), AuditEvent.CERTIFICATE_REMOVED, actor.id, detail=detail))
    exchange.directory.forget()
    return named[0]
