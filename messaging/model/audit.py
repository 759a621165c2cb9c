"""The vocabulary of the audit log: what a line may say has happened. A retired word is never used again."""

from __future__ import annotations

from enum import StrEnum


class AuditEvent(StrEnum):
    """What happened, as `subject.verb`; the events of a delivery's life are `delivery.` + the lifecycle's own word."""

    MESSAGE_RECEIVED = "message.received"
    MESSAGE_REPLAYED = "message.replayed"
    MESSAGE_CONFLICTED = "message.conflicted"
    MESSAGE_SUPERSEDED = "message.superseded"
    DOCUMENT_REFUSED = "document.refused"
    DOCUMENT_ANSWERED = "document.answered"
    DOCUMENT_READ = "document.read"
    APPREC_MATCHED = "apprec.matched"
    APPREC_UNMATCHED = "apprec.unmatched"
    APPREC_IGNORED = "apprec.ignored"
    DELIVERY_CREATED = "delivery.created"
    DELIVERY_ATTEMPTED = "delivery.attempted"
    APPREC_OVERDUE = "alarm.apprec_overdue"
    UNCOLLECTED = "alarm.uncollected"
    UNDELIVERED = "alarm.undelivered"
    LOCK_HIT = "access.locked"
    PARTY_CONFIGURED = "party.configured"
    PARTY_REGISTERED = "party.registered"
    CLIENT_REGISTERED = "client.registered"
    CLIENT_REVOKED = "client.revoked"
    REFUSALS_PURGED = "retention.refusals_purged"
    UNSEALED = "alarm.audit_unsealed"
    AUDIT_GAP = "alarm.audit_gap"
    ANCHOR_FAILED = "alarm.anchor_failed"
    ANCHOR_RECOVERED = "audit.anchor_recovered"
    ANCHOR_BEGUN = "audit.anchor_begun"
    GAP_ACKNOWLEDGED = "audit.gap_acknowledged"
    KEY_CHANGED = "audit.key_changed"
    AUDIT_EXPORTED = "audit.exported"
