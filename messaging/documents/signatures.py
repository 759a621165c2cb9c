"""A document's signature (W3C XML Signature): verified over all of the document, or a fault that says why not.

A signature that verifies says nothing about the document that one reads, unless what was signed is that document. So
the form is narrow (one signature, last in the root, over the root, with no transform but canonicalisation), and what
was signed must be, byte for byte in canonical form, what is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from lxml import etree
from lxml.etree import _Element as Element
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, XMLVerifier

from messaging.documents.names import SIGNATURE
from messaging.documents.reader import Tree, hardened_parser, read, read_again
from messaging.documents.signature_form import (
    WrongSignature,
    certificates_in,
    only_signature,
    require_narrow,
)
from messaging.documents.tree import elements, take_out
from messaging.documents.trust import Trust
from messaging.model.faults import Fault
from messaging.model.limits import AS_KEPT
from messaging.model.signatures import SignaturePolicy

_DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
_METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.SHA256_RSA_MGF1,
        SignatureMethod.SHA384_RSA_MGF1,
        SignatureMethod.SHA512_RSA_MGF1,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
    }
)


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """Verifies signatures against a trust; documents above `largest` bytes are not verified, and so not taken."""

    trust: Trust
    largest: int

    def fault_of(self, content: bytes, policy: SignaturePolicy, *, org_number: str, now: datetime) -> Fault | None:
        """Say what is wrong with a document's signature, by what the policy asks of it; None when all is well.

        `content` is a document that has been judged already. Takes processor time; never raises.
        """
        if policy is SignaturePolicy.IGNORE:
            return None
        try:
            return self._verified(content, policy, org_number, now)
        except WrongSignature as wrong:
            return wrong.fault

    def _verified(self, content: bytes, policy: SignaturePolicy, org_number: str, now: datetime) -> Fault | None:
        tree = read(content, AS_KEPT)
        if not isinstance(tree, Tree):
            return tree
        signature = only_signature(tree.root)
        if signature is None:
            if policy is SignaturePolicy.REQUIRE:
                raise WrongSignature(
                    "The message must be signed (ds:Signature, last in the root), and is not.",
                    "Meldingen skal være signert (ds:Signature, sist i rotelementet), og er det ikke.",
                )
            return None
        if len(content) > self.largest:
            raise WrongSignature(
                f"The message is signed and larger than {self.largest} bytes, the most that a signature is "
                "verified over.",
                f"Meldingen er signert og større enn {self.largest} byte, det meste som en signatur kontrolleres for.",
            )
        exclusive, prefixes = require_narrow(tree.root, signature)
        signer, *others = certificates_in(signature)
        _require_signed(tree.root, signer, now=now, exclusive=exclusive, prefixes=prefixes)
        return self.trust.fault_of(signer, others, org_number=org_number, now=now)


def _require_signed(
    root: Element, signer: x509.Certificate, *, now: datetime, exclusive: bool, prefixes: list[str] | None
) -> None:
    """Verify the signature with the certificate, and that what it signs is the document without the signature."""
    form = SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=_METHODS,
        digest_algorithms=_DIGESTS,
        verification_time=max(signer.not_valid_before_utc, min(now, signer.not_valid_after_utc)),
        default_reference_c14n_method=CanonicalizationMethod.CANONICAL_XML_1_0,
    )
    verifier: Any = XMLVerifier()
    try:
        result = verifier.verify(root, x509_cert=signer, parser=hardened_parser("utf-8"), expect_config=form)
        is_signed = result.signed_data == _canonical(root, exclusive=exclusive, prefixes=prefixes)
    except Exception as error:
        raise _not_valid() from error
    if not is_signed:
        raise _not_valid()


def _not_valid() -> WrongSignature:
    return WrongSignature(
        "The signature is not valid for this document: it was changed after it was signed, or signed otherwise than "
        "with RSA or ECDSA and SHA-256, SHA-384 or SHA-512.",
        "Signaturen er ikke gyldig for dette dokumentet: det er endret etter at det ble signert, eller "
        "signert på annen "
        "måte enn med RSA eller ECDSA og SHA-256, SHA-384 eller SHA-512.",
    )


def _canonical(root: Element, *, exclusive: bool, prefixes: list[str] | None) -> bytes:
    """Write the document without its signature in canonical form."""
    signature = [*elements(root)][-1]
    whole = read_again(root)
    copied = [*elements(whole)][-1]
    if signature.tag != SIGNATURE or copied.tag != SIGNATURE:
        raise ValueError("the signature is the last element")
    take_out(copied)
    return etree.tostring(
        whole, method="c14n", exclusive=exclusive, with_comments=False, inclusive_ns_prefixes=prefixes or None
    )
