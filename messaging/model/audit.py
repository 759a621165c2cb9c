"""The vocabulary of the audit log: what a line may say has happened. A retired word is never used again."""

from __future__ import annotations

from enum import StrEnum

from messaging.model.lifecycle import Event


class AuditEvent(StrEnum):
    """What happened, as `subject.verb`; the events of a delivery's life are `delivery.` + the lifecycle's own word."""

    MESSAGE_RECEIVED = "message.received"
    MESSAGE_REPLAYED = "message.replayed"
    MESSAGE_CONFLICTED = "message.conflicted"
    MESSAGE_SUPERSEDED = "message.superseded"
    DOCUMENT_REFUSED = "document.refused"
    DOCUMENT_ANSWERED = "document.answered"
    DOCUMENT_READ = "document.read"
    MESSAGE_VIEWED = "message.viewed"
    MESSAGES_SEARCHED = "messages.searched"
    PATIENT_SEARCHED = "patient.searched"
    PATIENT_EXPORTED = "patient.exported"
    ERASURE_BEGUN = "patient.erasure_begun"
    MESSAGE_ERASED = "patient.message_erased"
    ERASURE_ENDED = "patient.erased"
    APPREC_MATCHED = "apprec.matched"
    APPREC_UNMATCHED = "apprec.unmatched"
    APPREC_IGNORED = "apprec.ignored"
    DELIVERY_CREATED = "delivery.created"
    DELIVERY_ATTEMPTED = "delivery.attempted"
    DELIVERY_HANDLED = "delivery.handled"
    APPREC_OVERDUE = "alarm.apprec_overdue"
    UNCOLLECTED = "alarm.uncollected"
    UNDELIVERED = "alarm.undelivered"
    LOCK_HIT = "access.locked"
    PARTY_CONFIGURED = "party.configured"
    PARTY_REGISTERED = "party.registered"
    CLIENT_REGISTERED = "client.registered"
    CLIENT_REVOKED = "client.revoked"
    CLIENT_GRANTED = "client.granted"
    CLIENT_UNGRANTED = "client.ungranted"
    API_KEY_ADDED = "client.key_added"
    API_KEY_REVOKED = "client.key_revoked"
    CERTIFICATE_ADDED = "client.certificate_added"
    CERTIFICATE_REMOVED = "client.certificate_removed"
    TOKENS_ADDED = "client.tokens_added"
    TOKENS_REMOVED = "client.tokens_removed"
    ROUTE_PARKED = "route.parked"
    ROUTE_RESUMED = "route.resumed"
    DELIVERIES_RESENT = "deliveries.resent"
    TRIAL_SENT = "trial.sent"
    PARTY_CONTACT_CHANGED = "party.contact_changed"
    PARTY_LOCKED = "party.locked"
    PARTY_UNLOCKED = "party.unlocked"
    SIGNED_IN = "person.signed_in"
    SIGN_IN_REFUSED = "person.sign_in_refused"
    SIGN_IN_LOCKED = "person.locked"
    SIGNED_OUT = "person.signed_out"
    SIGN_INS_ENDED = "person.sign_ins_ended"
    REQUEST_FORGED = "access.request_forged"
    ACCOUNT_ADDED = "account.added"
    ACCOUNT_DISABLED = "account.disabled"
    ACCOUNT_ENABLED = "account.enabled"
    ACCOUNT_UNLOCKED = "account.unlocked"
    ACCOUNT_ROLE_CHANGED = "account.role_changed"
    ACCOUNT_PASSWORD_CHANGED = "account.password_changed"  # noqa: S105 - a word of the log, and no password
    RETENTION_RUN = "retention.run"
    DOCUMENT_DESTROYED = "retention.document_destroyed"
    MESSAGE_REDUCED = "retention.message_reduced"
    HOLD_PLACED = "retention.hold_placed"
    HOLD_RELEASED = "retention.hold_released"
    REFUSALS_PURGED = "retention.refusals_purged"
    KEYS_ROTATED = "keys.rotated"
    KEYS_REWRAPPED = "keys.rewrapped"
    UNENCRYPTED_VOUCHED = "keys.unencrypted_vouched"
    PAYLOAD_DAMAGED = "alarm.payload_damaged"
    UNSEALED = "alarm.audit_unsealed"
    AUDIT_GAP = "alarm.audit_gap"
    ANCHOR_FAILED = "alarm.anchor_failed"
    ANCHOR_RECOVERED = "audit.anchor_recovered"
    ANCHOR_BEGUN = "audit.anchor_begun"
    GAP_ACKNOWLEDGED = "audit.gap_acknowledged"
    KEY_CHANGED = "audit.key_changed"
    AUDIT_EXPORTED = "audit.exported"


EVENTS: tuple[str, ...] = (*AuditEvent, *(f"delivery.{event}" for event in Event))
"""Every word that a line may carry."""


def events_of(name: str) -> tuple[str, ...]:
    """Give the events that a name means: itself, or every one of a subject, such as `person`."""
    return tuple(event for event in EVENTS if event.partition(".")[0] == name) or (name,)
