"""Synthetic certificates for tests: an authority, who it issues to, whom it revokes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
BEGIN, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@dataclass
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(
        self,
        content: bytes,
        *,
        chain: tuple[x509.Certificate, ...] = (),
        reference: str | None = None,
        c14n: str = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0.value,
        digest: DigestAlgorithm = DigestAlgorithm.SHA256,
    ) -> bytes:
        """Sign a document as a sender's system does."""
        is_rsa = isinstance(self.key, rsa.RSAPrivateKey)
        signer = XMLSigner(
            signature_algorithm=SignatureMethod.RSA_SHA256 if is_rsa else SignatureMethod.ECDSA_SHA256,
            digest_algorithm=digest,
            c14n_algorithm=CanonicalizationMethod(c14n),
        )
        root = signer.sign(
            etree.fromstring(content), key=self.key, cert=[self.certificate, *chain], reference_uri=reference
        )
        return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


@dataclass
class Authority:
    """An authority that issues certificates for organisations."""

    name: str = "Prøveutsteder"
    key: Key = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    parent: Authority | None = None

    def __post_init__(self) -> None:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        parent = self.parent or self
        issuer = self.parent.certificate.subject if self.parent else name
        usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        self.certificate = (
            _certificate(name, issuer, self.key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(parent.key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(
        self,
        organisation: str = "100000008",
        *,
        key: Key | None = None,
        begin: datetime = BEGIN,
        end: datetime = END,
        signs: bool = True,
        newer: bool = False,
    ) -> Issued:
        """Issue a certificate; `newer` names the organisation as organizationIdentifier does."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        number = (
            x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, f"NTRNO-{organisation}")
            if newer
            else x509.NameAttribute(NameOID.SERIAL_NUMBER, organisation)
        )
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Prøvesykehuset"), number])
        usage = x509.KeyUsage(
            digital_signature=signs, content_commitment=False, key_encipherment=not signs, data_encipherment=False,
            key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        made = _certificate(subject, self.certificate.subject, key, begin, end).add_extension(usage, critical=True)
        return Issued(made.sign(self.key, hashes.SHA256()), key)

    def revoke(self, *certificates: x509.Certificate, until: datetime = END) -> bytes:
        """List revoked certificates, in PEM."""
        builder = x509.CertificateRevocationListBuilder(self.certificate.subject, BEGIN, until)
        for one in certificates:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder(one.serial_number, BEGIN + timedelta(days=1)).build()
            )
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: Key, begin: datetime = BEGIN, end: datetime = END
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
