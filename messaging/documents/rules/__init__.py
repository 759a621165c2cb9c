"""The rules that schemas cannot express: one module a subject, each rule a pure function from document to findings."""

from __future__ import annotations

from messaging.documents.document import Document
from messaging.documents.rules import (
    addressing,
    attachments,
    codes,
    content,
    habits,
    identity,
    patient,
    person_numbers,
    receipts,
)
from messaging.documents.rules.declaration import Rule
from messaging.model.faults import Fault
from messaging.model.rules import RulePolicy, Severity

_OF_ATTACHMENTS: tuple[Rule, ...] = (
    attachments.attachments_are_of_a_type_that_is_taken,
    attachments.attachments_are_strict_base64,
    attachments.attachments_are_what_they_say,
    attachments.attachments_are_no_programs,
    attachments.attachments_keep_the_limit,
    attachments.attachments_are_in_the_message,
    attachments.attachments_are_not_too_large,
)

RULES: tuple[Rule, ...] = (
    identity.message_id_is_given,
    identity.message_id_is_a_uuid,
    identity.references_fit,
    identity.written_lately,
    addressing.sender_is_named,
    addressing.receiver_is_named,
    addressing.parties_are_named_on_two_levels,
    addressing.parties_have_names,
    patient.patient_is_identified,
    patient.patient_in_emergency_is_identified,
    person_numbers.person_numbers_are_right,
    content.content_fits_the_type,
    content.referral_has_one_receiver,
    content.status_may_be_used,
    receipts.receipt_status_is_known,
    codes.codes_are_in_their_lists,
    codes.coded_values_are_whole,
    *_OF_ATTACHMENTS,
    habits.encoding_is_declared,
    habits.no_element_is_empty,
    habits.no_text_ends_in_blanks,
    habits.telecom_addresses_are_usable,
)
"""Every rule, in the order in which its faults are told."""

_WITHOUT_ATTACHMENTS = tuple(rule for rule in RULES if rule not in _OF_ATTACHMENTS)


def faults_of(document: Document, policy: RulePolicy) -> tuple[Fault, ...]:
    """Hold a document against every rule that is not off for its type and its receivers."""
    receivers = _receivers(document) if policy.lines else frozenset()
    found: list[Fault] = []
    for rule in RULES if document.attachments else _WITHOUT_ATTACHMENTS:
        severity = rule.severity
        if policy.lines:
            severity = policy.severity(rule.name, severity, document.envelope.type, receivers)
        if severity is not Severity.OFF:
            found += [rule.fault(document, finding, severity) for finding in rule.check(document)]
    return tuple(found)


def _receivers(document: Document) -> frozenset[int]:
    """Name every receiver on both its levels, so that an organisation decides for its services."""
    addresses = [receiver.address for receiver in document.envelope.receivers]
    both = {her_id for address in addresses for her_id in (address.her_id, address.parent_her_id)}
    return frozenset(her_id for her_id in both if her_id is not None)
