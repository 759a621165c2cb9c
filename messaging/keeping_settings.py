"""The operator's settings for how long what was taken in is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from messaging.model.retention import Retention

EndState = Literal["acknowledged", "rejected", "delivered", "closed", "superseded"]


class KeepingSettings(BaseSettings):
    """A part of the settings, and the value that is made of it."""

    refusals_kept_days: float = Field(30, gt=0, description="How long a refused document stays in the transport log")
    documents_kept_days: float = Field(
        30, gt=0, description="A document is kept this long after the last of its deliveries has ended"
    )
    documents_kept_days_by_type: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description="The same for one message type, by its code of list 8279"
    )
    documents_kept_days_by_state: dict[EndState, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict,
        description="The same for one state that a delivery ended in, such as `rejected`; the longest counts",
    )
    metadata_kept_days: float = Field(
        365,
        gt=0,
        description="So long after its last delivery has ended, and never before its document has gone, a message is "
        "reduced to what answers a repetition",
    )
    retention_daily: bool = Field(
        False, description="Whether documents and metadata go by themselves, once a day, when their time is over"
    )

    def retention(self) -> Retention:
        """Give how long documents and metadata are kept."""
        return Retention(
            timedelta(days=self.documents_kept_days),
            {kind: timedelta(days=days) for kind, days in self.documents_kept_days_by_type.items()},
            {state: timedelta(days=days) for state, days in self.documents_kept_days_by_state.items()},
            metadata=timedelta(days=self.metadata_kept_days),
        )
