"""The one form of signature that is taken: alone, last in the root, over the root, and with its certificate inside."""

from __future__ import annotations

import base64
import binascii

from cryptography import x509
from lxml.etree import _Element as Element
from signxml.algorithms import CanonicalizationMethod

from messaging.documents.names import SIGNATURE, XMLDSIG, qualified
from messaging.documents.tree import child, elements
from messaging.model.faults import Fault, FaultCode

_CANONICAL = {
    CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0.value: True,
    CanonicalizationMethod.CANONICAL_XML_1_0.value: False,
}
"""The canonicalisations that the standard for MsgHead has, and whether they are exclusive; both leave comments out."""
_ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_PARTS = [qualified(XMLDSIG, name) for name in ("SignedInfo", "SignatureValue", "KeyInfo")]
_REFERENCE = qualified(XMLDSIG, "Reference")
_KEY_PARTS = {qualified(XMLDSIG, name) for name in ("X509Data", "KeyName", "KeyValue")}
_MOST_CERTIFICATES = 5
_IDS = ("Id", "ID", "id", "{http://www.w3.org/XML/1998/namespace}id")


class WrongSignature(Exception):
    """The signature is wrong; the words say how, in both languages."""

    def __init__(self, english: str, norwegian: str) -> None:
        super().__init__(english)
        self.fault = Fault(
            FaultCode.S01, english, norwegian=norwegian, source="W3C XML Signature; HIS 80601 (MsgHead); list 8221"
        )


def only_signature(root: Element) -> Element | None:
    """Find the signature, None when there is none; raises WrongSignature when it is not alone or stands elsewhere."""
    found = [*root.iter(SIGNATURE)]
    if not found:
        return None
    if len(found) > 1 or found[0].getparent() is not root or found[0] is not [*elements(root)][-1]:
        raise WrongSignature(
            "There must be one signature (ds:Signature), as the last element of the root.",
            "Det skal være én signatur (ds:Signature), som siste element i rotelementet.",
        )
    return found[0]


def require_narrow(root: Element, signature: Element) -> tuple[bool, list[str] | None]:
    """Hold the signature to the one form that is taken; give how the document is canonicalised."""
    parts = [*elements(signature)]
    reference = child(signature, _PARTS[0], _REFERENCE)
    if (
        any(not isinstance(node.tag, str) for node in signature.iter())
        or [str(part.tag) for part in parts] != _PARTS
        or {str(part.tag) for part in parts[-1]} - _KEY_PARTS
        or reference is None
        or len([*parts[0].iterchildren(_REFERENCE)]) != 1
    ):
        raise WrongSignature(
            "The signature is not of the form that is taken: SignedInfo with one Reference, SignatureValue, "
            "and KeyInfo "
            "with the certificate; no Object, no comment.",
            "Signaturen har ikke formen som tas imot: SignedInfo med én Reference, SignatureValue og KeyInfo med "
            "sertifikatet; ingen Object, ingen kommentar.",
        )
    _require_whole(root, reference.get("URI"))
    return _canonicalisation(reference)


def _require_whole(root: Element, uri: str | None) -> None:
    """Let the reference be to the root, and let no other element be able to be meant."""
    if uri == "":
        return
    named = (uri or "").removeprefix("#")
    places = [node for node in root.iter("{*}*") if any(node.get(name) == named for name in _IDS)]
    if not uri or not uri.startswith("#") or not named or places != [root]:
        raise WrongSignature(
            "The signature must be over the whole document: an empty Reference URI, or # and the root's Id, which no "
            "other element has.",
            "Signaturen skal gjelde hele dokumentet: en tom Reference URI, eller # og Id-en til rotelementet, som ikke "
            "noe annet element har.",
        )


def _canonicalisation(reference: Element) -> tuple[bool, list[str] | None]:
    transforms = [*(reference.iterfind("{*}Transforms/{*}Transform"))]
    algorithms = [one.get("Algorithm") for one in transforms]
    if (
        len(algorithms) not in (1, 2)
        or algorithms[0] != _ENVELOPED
        or not set(algorithms[1:]) <= _CANONICAL.keys()
        or (len(transforms[0]))
    ):
        raise WrongSignature(
            "The signature's transforms must be enveloped-signature and then Canonical XML 1.0 or Exclusive "
            "Canonicalization 1.0, without comments.",
            "Signaturens transformasjoner skal være enveloped-signature og så Canonical XML 1.0 eller Exclusive "
            "Canonicalization 1.0, uten kommentarer.",
        )
    if len(transforms) == 1:
        return False, None
    inclusive = next(iter(transforms[1]), None)
    prefixes = None if inclusive is None else (inclusive.get("PrefixList") or "").split()
    return _CANONICAL[str(algorithms[1])], prefixes


def certificates_in(signature: Element) -> list[x509.Certificate]:
    """Read the certificates that the signature brings, the signer's first: the one that issued none of the others."""
    written = [*signature.iterfind("{*}KeyInfo/{*}X509Data/{*}X509Certificate")]
    try:
        found = [
            x509.load_der_x509_certificate(base64.b64decode("".join((one.text or "").split()), validate=True))
            for one in written[:_MOST_CERTIFICATES]
        ]
        signers = [one for one in found if not any(one.subject == other.issuer for other in found if other is not one)]
    except (ValueError, binascii.Error):
        signers = []
        found = []
    if len(signers) != 1 or len(written) > _MOST_CERTIFICATES:
        raise WrongSignature(
            "The signature does not bring the one certificate that signed (KeyInfo/X509Data/X509Certificate), with at "
            f"most {_MOST_CERTIFICATES} of its chain.",
            "Signaturen har ikke med det ene sertifikatet som har signert "
            "(KeyInfo/X509Data/X509Certificate), med høyst "
            f"{_MOST_CERTIFICATES} i kjeden.",
        )
    return [signers[0], *(one for one in found if one is not signers[0])]
