"""The operator's settings for signatures: whose are looked at, whom to trust, and how AppRecs are signed."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from messaging.errors import ConfigurationError
from messaging.flow.signed import Signatures, Signing, TrustFiles
from messaging.model.signatures import SignatureLine, SignaturePolicies, SignaturePolicy


class SignatureLineSetting(BaseModel):
    """One line of policy, for one `type`, for one receiver (`her_id`), for both, or for all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    policy: SignaturePolicy
    type: str | None = None
    her_id: int | None = Field(None, gt=0)


class ReceiptSigningSetting(BaseModel):
    """What signs the AppRecs that the exchange writes, for all whom they go to or for `her_ids`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key_file: Path
    certificate_file: Path
    her_ids: frozenset[int] = frozenset()


class SignatureSettings(BaseModel):
    """The table `signatures`; docs/signatures.md tells about it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lines: tuple[SignatureLineSetting, ...] = ()
    trusted_files: tuple[Path, ...] = ()
    """PEM: the certificates of authorities, or those that are trusted themselves."""
    revoked_files: tuple[Path, ...] = ()
    """PEM or DER: lists of revoked certificates."""
    match_organisation: bool = True
    largest_bytes: int = Field(10_000_000, ge=10_000)
    receipts: ReceiptSigningSetting | None = None

    def signatures(self) -> Signatures:
        """Open what verifies and signs. Raises ConfigurationError for files that cannot be used."""
        lines = tuple(SignatureLine(line.policy, line.type, line.her_id) for line in self.lines)
        policies = SignaturePolicies(lines)
        if policies.look_at_any and not self.trusted_files:
            raise ConfigurationError("signatures: trusted_files must name whom to trust when signatures are verified.")
        trust = TrustFiles(self.trusted_files, self.revoked_files, match_organisation=self.match_organisation)
        trust.read()
        receipts = self.receipts
        signing = (
            Signing.of(receipts.key_file, receipts.certificate_file, receipts.her_ids) if receipts is not None else None
        )
        return Signatures(policies, trust, largest=self.largest_bytes, signing=signing)
