"""Whose certificates may sign: a chain to a trusted authority, in force, of the right organisation, and not revoked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import verification
from cryptography.x509.oid import NameOID

from messaging.errors import ConfigurationError
from messaging.model.faults import Fault, FaultCode

ORGANISATION_PREFIX = "NTRNO-"
"""What stands before the organisation number in organizationIdentifier (ETSI EN 319 412-1 5.1.4)."""
SMALLEST_RSA = 2048
"""Bits."""
_SOURCE = "W3C XML Signature; RFC 5280; list 8221"


@dataclass(frozen=True, slots=True)
class Trust:
    """The certificates of authorities, those that are trusted themselves, and the lists of revoked ones."""

    authorities: tuple[x509.Certificate, ...]
    pinned: tuple[x509.Certificate, ...] = ()
    revoked: tuple[x509.CertificateRevocationList, ...] = ()
    match_organisation: bool = True

    @classmethod
    def of(cls, certificates: bytes, lists: Sequence[bytes] = (), *, match_organisation: bool = True) -> Trust:
        """Read PEM certificates and PEM or DER lists of revoked ones. Raises ConfigurationError for what is neither."""
        try:
            found = x509.load_pem_x509_certificates(certificates) if certificates.strip() else []
            revoked = tuple(_list(one) for one in lists)
            authorities = tuple(one for one in found if _is_authority(one))
        except ValueError as error:
            raise ConfigurationError(
                "signatures: a file of trusted certificates (PEM) or of revoked ones (PEM or DER) cannot be read."
            ) from error
        pinned = tuple(one for one in found if one not in authorities)
        return cls(authorities, pinned, revoked, match_organisation)

    def fault_of(
        self, signer: x509.Certificate, others: Sequence[x509.Certificate], *, org_number: str, now: datetime
    ) -> Fault | None:
        """Say why a certificate may not sign for an organisation (S02), or that it is revoked (S03)."""
        if not signer.not_valid_before_utc <= now <= signer.not_valid_after_utc:
            return _fault(
                "The certificate that signed is not in force; sign with one that is.",
                "Sertifikatet som har signert, er ikke gyldig nå; signer med et som er det.",
            )
        if not _is_strong(signer) or not _may_sign(signer):
            return _fault(
                f"The certificate that signed is not meant for signatures, or its key is weaker than "
                f"{SMALLEST_RSA} bits "
                "RSA or 256 bits EC.",
                "Sertifikatet som har signert, er ikke ment for signaturer, eller nøkkelen er svakere enn "
                f"{SMALLEST_RSA} bits RSA eller 256 bits EC.",
            )
        chain = self._chain(signer, others, now)
        if chain is None:
            return _fault(
                "The certificate that signed is issued by nobody whom the exchange trusts; sign with a certificate for "
                "organisations (virksomhetssertifikat), and send its chain along.",
                "Sertifikatet som har signert, er ikke utstedt av noen som tjenesten stoler på; signer med et "
                "virksomhetssertifikat, og send med kjeden.",
            )
        if self.match_organisation and (not org_number or org_number not in organisations_of(signer)):
            return _fault(
                "The certificate that signed is of another organisation than the sender.",
                "Sertifikatet som har signert, tilhører en annen virksomhet enn avsenderen.",
            )
        return self._revocation(chain, now)

    def _chain(
        self, signer: x509.Certificate, others: Sequence[x509.Certificate], now: datetime
    ) -> list[x509.Certificate] | None:
        if signer in self.pinned:
            return [signer]
        if not self.authorities:
            return None
        anyone = verification.ExtensionPolicy.permit_all()
        authority = anyone.require_present(x509.BasicConstraints, verification.Criticality.AGNOSTIC, _require_authority)
        builder = verification.PolicyBuilder().store(verification.Store([*self.authorities])).time(now)
        builder = builder.extension_policies(ee_policy=anyone, ca_policy=authority)
        try:
            return [*builder.build_client_verifier().verify(signer, [*others]).chain]
        except verification.VerificationError:
            return None

    def _revocation(self, chain: Sequence[x509.Certificate], now: datetime) -> Fault | None:
        """Look the whole chain up; an issuer whose list has run out vouches for nothing any longer."""
        found = [(certificate, one) for certificate in chain for one in self._lists_about(certificate, chain)]
        if any(one.get_revoked_certificate_by_serial_number(each.serial_number) for each, one in found):
            return Fault(
                FaultCode.S03,
                "The certificate that signed has been revoked; sign with another.",
                norwegian="Sertifikatet som har signert, er tilbaketrukket; signer med et annet.",
                source=_SOURCE,
            )
        if any(one.next_update_utc is not None and one.next_update_utc < now for _, one in found):
            return _fault(
                "The list of revoked certificates that the exchange holds has run out, so that no certificate of its "
                "issuer is taken; try again later, and tell the exchange's operator.",
                "Listen over tilbaketrukne sertifikater som tjenesten har, er utløpt, så ingen sertifikater fra "
                "utstederen godtas; prøv igjen senere, og gi beskjed til den som driver tjenesten.",
            )
        return None

    def _lists_about(
        self, certificate: x509.Certificate, chain: Sequence[x509.Certificate]
    ) -> list[x509.CertificateRevocationList]:
        """Find the lists that a certificate's issuer has signed."""
        issuers = [one for one in (*self.authorities, *chain) if one.subject == certificate.issuer]
        lists = [one for one in self.revoked if one.issuer == certificate.issuer]
        return [one for one in lists if any(_is_signed_by(one, issuer) for issuer in issuers)]


def organisations_of(certificate: x509.Certificate) -> set[str]:
    """Tell the organisation numbers in a certificate's subject: serialNumber, and organizationIdentifier."""
    found = set()
    for oid in (NameOID.SERIAL_NUMBER, NameOID.ORGANIZATION_IDENTIFIER):
        for one in certificate.subject.get_attributes_for_oid(oid):
            found.add(str(one.value).strip().removeprefix(ORGANISATION_PREFIX))
    return found


def _fault(text: str, norwegian: str) -> Fault:
    return Fault(FaultCode.S02, text, norwegian=norwegian, source=_SOURCE)


def _list(content: bytes) -> x509.CertificateRevocationList:
    if content.lstrip().startswith(b"-----BEGIN"):
        return x509.load_pem_x509_crl(content)
    return x509.load_der_x509_crl(content)


def _is_signed_by(one: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    key = issuer.public_key()
    return isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) and one.is_signature_valid(key)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _require_authority(_: object, __: object, constraints: x509.BasicConstraints | None) -> None:
    if constraints is None or not constraints.ca:
        raise ValueError("not the certificate of an authority")


def _may_sign(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate may sign documents; one that says nothing about its use may."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return True
    return usage.digital_signature or usage.content_commitment


def _is_strong(certificate: x509.Certificate) -> bool:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= SMALLEST_RSA
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size >= 256  # noqa: PLR2004 - bits
