"""What a party is told about: EDI 2.0's notifications."""

from __future__ import annotations

from enum import StrEnum


class NotificationType(StrEnum):
    """What EDI 2.0 tells a party about."""

    NEW_MESSAGE = "NewMessage"
    REFUSED_MESSAGE = "RefusedMessage"
    SENT_STATE_UPDATED = "MessageSentStateUpdated"
    DELIVERY_STATE_UPDATED = "MessageDeliveryStateUpdated"
    APPREC_UPDATED = "MessageApprecInfoUpdated"
