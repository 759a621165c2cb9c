"""How strict the rules are: the name of each, what it does to a message, and where an operator decides otherwise."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from messaging.errors import ConfigurationError


class Severity(StrEnum):
    """What a rule does to a message that breaks it."""

    REJECT = "reject"
    """The message is refused, with a code of list 8221."""
    WARN = "warn"
    """The message goes on, and its sender is told."""
    OFF = "off"
    """The rule is not held."""


class RuleName(StrEnum):
    """The name of each rule: what settings call it, and the code of the warning that it gives."""

    MSG_ID = "msg-id"
    MSG_ID_UUID = "msg-id-uuid"
    REFERENCES = "references"
    GEN_DATE = "gen-date"
    SENDER_HER_ID = "sender-her-id"
    RECEIVER_HER_ID = "receiver-her-id"
    TWO_LEVELS = "two-levels"
    PARTY_NAMES = "party-names"
    PATIENT = "patient"
    PATIENT_IN_EMERGENCY = "patient-in-emergency"
    PERSON_NUMBERS = "person-numbers"
    CONTENT_CODES = "content-codes"
    ONE_RECEIVER = "one-receiver"
    DISPATCH_STATUS = "dispatch-status"
    RECEIPT_STATUS = "receipt-status"
    CODE_IN_LIST = "code-in-list"
    CODE_ATTRIBUTES = "code-attributes"
    ATTACHMENT_TYPE = "attachment-type"
    ATTACHMENT_BASE64 = "attachment-base64"
    ATTACHMENT_BYTES = "attachment-bytes"
    ATTACHMENT_PROGRAM = "attachment-program"
    ATTACHMENT_LIMIT = "attachment-limit"
    ATTACHMENT_MISSING = "attachment-missing"
    ATTACHMENT_SIZE = "attachment-size"
    ENCODING_DECLARED = "encoding-declared"
    EMPTY_ELEMENTS = "empty-elements"
    TRAILING_BLANKS = "trailing-blanks"
    TELECOM_ADDRESS = "telecom-address"


NEVER_REJECT = frozenset(
    {
        RuleName.PATIENT_IN_EMERGENCY,
        RuleName.CONTENT_CODES,
        RuleName.DISPATCH_STATUS,
        RuleName.CODE_IN_LIST,
        RuleName.CODE_ATTRIBUTES,
    }
)
"""Rules that no setting can make stop a message: a referral in an emergency, codes and clinical sense (HITS 1168)."""

ALWAYS_REJECT = frozenset(
    {
        RuleName.MSG_ID,
        RuleName.REFERENCES,
        RuleName.SENDER_HER_ID,
        RuleName.RECEIVER_HER_ID,
        RuleName.RECEIPT_STATUS,
    }
)
"""Rules without which a message could not be kept, answered or handed to anybody: no setting makes them milder."""

_STRICT = (Severity.OFF, Severity.WARN, Severity.REJECT)


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One line of an operator's policy: how strict a rule is, for one type, for one receiver, for both, or for all."""

    rule: RuleName
    severity: Severity
    type: str | None = None
    her_id: int | None = None

    @property
    def weight(self) -> tuple[bool, bool, int]:
        """Tell which of two lines counts: for a receiver before for a type before for all, then the stricter."""
        return self.her_id is not None, self.type is not None, _STRICT.index(self.severity)


@dataclass(frozen=True, slots=True)
class RulePolicy:
    """How strict each rule is where it is not as it comes. Raises ConfigurationError for what no policy may ask."""

    lines: tuple[RuleLine, ...] = ()

    def __post_init__(self) -> None:
        for line in self.lines:
            if line.severity is Severity.REJECT and line.rule in NEVER_REJECT:
                raise ConfigurationError(
                    f"rules: {line.rule.value} cannot be set to reject, since the standards forbid to refuse a message "
                    "for it; set it to warn or off."
                )
            if line.severity is not Severity.REJECT and line.rule in ALWAYS_REJECT:
                raise ConfigurationError(
                    f"rules: {line.rule.value} cannot be set to {line.severity.value}, since a message that breaks it "
                    "could not be kept, answered or handed to anybody; leave the line out."
                )

    def severity(self, rule: RuleName, default: Severity, type_: str, receivers: Collection[int]) -> Severity:
        """Tell how strict a rule is for a message; a line for a receiver counts when it is one among them."""
        fitting = [
            line
            for line in self.lines
            if line.rule is rule
            and (line.type is None or line.type == type_)
            and (line.her_id is None or line.her_id in receivers)
        ]
        return max(fitting, key=lambda line: line.weight).severity if fitting else default
