"""Signed: whose signatures are looked at, the files that tell whom to trust, and what signs the AppRecs we write."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from messaging.errors import ConfigurationError
from messaging.model.signatures import SignaturePolicies

if TYPE_CHECKING:  # imported where they are needed: cryptography and signxml take a while, and few exchanges need them
    from messaging.documents.sign import Signer
    from messaging.documents.trust import Trust

_PRIVATE = 0o077


class TrustFiles:
    """The files that tell whom to trust, read again when one has changed: lists of revoked certificates run out."""

    def __init__(self, trusted: tuple[Path, ...], revoked: tuple[Path, ...], *, match_organisation: bool) -> None:
        self._trusted, self._revoked, self._match = trusted, revoked, match_organisation
        self._read: tuple[tuple[int, ...], Trust] | None = None

    def read(self) -> Trust:
        """Give what the files say now. Raises ConfigurationError when one cannot be read; the last good is kept."""
        from messaging.documents.trust import Trust

        try:
            stamp = tuple(path.stat().st_mtime_ns for path in (*self._trusted, *self._revoked))
            if self._read is None or self._read[0] != stamp:
                trusted = b"\n".join(path.read_bytes() for path in self._trusted)
                lists = [path.read_bytes() for path in self._revoked]
                self._read = stamp, Trust.of(trusted, lists, match_organisation=self._match)
        except (OSError, ConfigurationError) as error:
            if self._read is None:
                what = error.strerror if isinstance(error, OSError) else str(error)
                raise ConfigurationError(f"signatures: a file of certificates cannot be used: {what}") from error
        return self._read[1]


@dataclass(frozen=True, slots=True)
class Signing:
    """What signs AppRecs, and for whom; without HER-ids for everybody."""

    signer: Signer
    her_ids: frozenset[int] = frozenset()

    @classmethod
    def of(cls, key_file: Path, certificate_file: Path, her_ids: frozenset[int]) -> Signing:
        """Read the key and the certificates. Raises ConfigurationError when they cannot be used, or others can read."""
        from messaging.documents.sign import Signer

        try:
            if key_file.stat().st_mode & _PRIVATE:
                raise ConfigurationError(f"signatures.receipts: {key_file.name} can be read by others; set it to 0600.")
            return cls(Signer.of(key_file.read_bytes(), certificate_file.read_bytes()), her_ids)
        except OSError as error:
            raise ConfigurationError(f"signatures.receipts: a file cannot be read: {error.strerror}.") from error


@dataclass(frozen=True, slots=True)
class Signatures:
    """What the exchange does about signatures; as it comes, nothing."""

    policies: SignaturePolicies = field(default_factory=SignaturePolicies)
    trust: TrustFiles = field(default_factory=lambda: TrustFiles((), (), match_organisation=True))
    largest: int = 10_000_000
    signing: Signing | None = None

    def receipt(self, content: bytes, her_id: int | None) -> bytes:
        """Sign an AppRec that goes to a party, if it is to be signed."""
        if self.signing is None or (self.signing.her_ids and her_id not in self.signing.her_ids):
            return content
        return self.signing.signer.signed(content)
