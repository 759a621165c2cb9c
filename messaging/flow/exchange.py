"""What every verb works with: the exchange's parts, put together once at the composition root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from messaging.documents import Explainer, Validator
from messaging.flow.admission import Admission, AdmissionTerms
from messaging.flow.anchors import Anchor
from messaging.flow.channels import Channels
from messaging.flow.issuers import Issuer
from messaging.flow.signed import Signatures
from messaging.keys import Vault
from messaging.model.clock import Clock
from messaging.model.edge import Edge
from messaging.model.retention import Retention
from messaging.model.retry import RetryPolicy
from messaging.model.routes import Routes
from messaging.openid import Provider
from messaging.passwords import Passwords
from messaging.reach import PUBLIC, Reach
from messaging.signing import SigningKey
from messaging.spi import Adapter
from messaging.store.committer import Committer
from messaging.store.directory import Directory
from messaging.store.keys import KeyUses
from messaging.store.polls import MailboxPolls
from messaging.store.proofs import UsedProofs
from messaging.store.session import Database
from messaging.store.wakeups import Wakeups


@dataclass(frozen=True, slots=True)
class Terms:
    """The numbers that the verbs keep to; `settings.py` says what each is for."""

    largest_document: int = 35_000_000
    judged_inline_below: int = 65_536
    disk_reserve: int = 1 << 30
    refusals_kept: timedelta = timedelta(days=30)
    retention: Retention = field(default_factory=Retention)
    retention_daily: bool = False
    trial_sender: int | None = None
    receipt_within: timedelta = timedelta(hours=96)
    receipt_within_by_type: Mapping[str, timedelta] = field(default_factory=dict)
    collected_within: timedelta = timedelta(hours=24)
    lease: timedelta = timedelta(seconds=60)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    circuit_threshold: int = 5
    circuit_pause: timedelta = timedelta(seconds=30)
    route_concurrency: int = 8
    heartbeat: timedelta = timedelta(seconds=15)
    seal_every: timedelta = timedelta(seconds=1)
    signed_in_longest: timedelta = timedelta(hours=12)
    signed_in_idle: timedelta = timedelta(minutes=30)
    docs_page: bool = False
    software_name: str = "Samhandling"
    software_version: str = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """The parts: clock, database, committer, wake-ups, validator, routes, opened adapters, terms."""

    clock: Clock
    database: Database
    directory: Directory
    committer: Committer
    wakeups: Wakeups
    validator: Validator
    explainer: Explainer
    routes: Routes
    adapters: Mapping[str, Adapter]
    speaks_for: Mapping[str, frozenset[int]]
    """For each adapter instance, the HER-ids in whose names it may hand documents in."""
    pepper: bytes
    """The secret that keys the hashes of API keys."""
    key_uses: KeyUses
    used_proofs: UsedProofs
    vault: Vault
    """Encrypts documents, and opens them."""
    issuers: Mapping[str, Issuer]
    """Those whose access tokens are taken, by URL."""
    edge: Edge
    terms: Terms = field(default_factory=Terms)
    data_folder: Path | None = None
    audit_key: SigningKey | None = None
    """Signs the seals over the audit log."""
    signatures: Signatures = field(default_factory=Signatures)
    """Whose signatures are looked at, and what signs the AppRecs that are written here."""
    anchors: tuple[Anchor, ...] = ()
    """Where seals are written outside the database."""
    admission: Admission = field(default_factory=lambda: Admission(AdmissionTerms()))
    """Who may ask how often, and how much of what they send may be under way."""
    reach: Reach = PUBLIC
    """Whom the exchange may call."""
    passwords: Passwords = field(default_factory=Passwords)
    """Hashes people's passphrases, a few at a time."""
    providers: Mapping[str, Provider] = field(default_factory=dict)
    """Identity providers that vouch for people, by the names that the operator gave them."""
    channels: Channels = field(default_factory=Channels)
    """How people are told of alarms."""
    polls: MailboxPolls = field(default_factory=MailboxPolls)
    """When mailboxes were asked for, until it is written."""
