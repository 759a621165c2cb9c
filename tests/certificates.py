"""Certificates for tests, made when they are needed."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_LOOPBACK = IPv4Address("127.0.0.1")


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, both in PEM."""

    pem: str
    key: str
    private: ec.EllipticCurvePrivateKey
    x5t: str
    """The SHA-256 of the whole certificate, as an access token would name it."""


def self_signed(
    since: datetime,
    lasts: timedelta,
    *,
    name: str = "localhost",
    address: IPv4Address | None = _LOOPBACK,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Pair:
    """Make a certificate that nobody but its own key vouches for."""
    private = key or ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [x509.DNSName(name), *([x509.IPAddress(address)] if address else [])]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + lasts)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(private, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM).decode()
    form = serialization.PrivateFormat.PKCS8
    secret = private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    der = made.public_bytes(serialization.Encoding.DER)
    x5t = urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
    return Pair(pem, secret, private, x5t)
