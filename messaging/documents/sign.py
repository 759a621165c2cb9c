"""Signing what the exchange itself writes (W3C XML Signature, enveloped, exclusive canonicalisation)."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner

from messaging.documents.reader import read
from messaging.errors import ConfigurationError
from messaging.model.faults import Fault


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key, and the certificates that vouch for it, its own first."""

    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    certificates: tuple[x509.Certificate, ...]

    @classmethod
    def of(cls, key: bytes, certificates: bytes) -> Signer:
        """Read a key and its certificates, in PEM. Raises ConfigurationError when they do not belong together."""
        try:
            private = load_pem_private_key(key, password=None)
            chain = tuple(x509.load_pem_x509_certificates(certificates))
        except (ValueError, TypeError) as error:
            raise ConfigurationError("signatures.receipts: the key or the certificate is no PEM file.") from error
        if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise ConfigurationError("signatures.receipts: the key must be RSA or EC.")
        if chain[0].public_key() != private.public_key():
            raise ConfigurationError("signatures.receipts: the first certificate is not that of the key.")
        return cls(private, chain)

    def signed(self, content: bytes) -> bytes:
        """Sign a document that has no signature yet; it is put last in the root."""
        tree = read(content)
        if isinstance(tree, Fault):
            raise ValueError(tree.text)  # noqa: TRY004 - it is what the document holds
        is_rsa = isinstance(self.key, rsa.RSAPrivateKey)
        signer = XMLSigner(
            signature_algorithm=SignatureMethod.RSA_SHA256 if is_rsa else SignatureMethod.ECDSA_SHA256,
            digest_algorithm=DigestAlgorithm.SHA256,
            c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )
        root = signer.sign(tree.root, key=self.key, cert=[*self.certificates])
        return etree.tostring(root, encoding="UTF-8", xml_declaration=True)
