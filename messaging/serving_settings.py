"""The operator's settings for whoever calls: how often, how much at once, and how slowly."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings

from messaging.caller_settings import Url
from messaging.flow.admission import AdmissionTerms
from messaging.model.manners import Manners


class ServingSettings(BaseSettings):
    """A part of the settings, and the values that are made of it."""

    requests_per_second: float = Field(
        50, ge=0, description="So many requests a client may send in the long run (429); 0 sets no limit"
    )
    requests_burst: int = Field(100, ge=1, description="So many it may send at once")
    failures_per_minute: float = Field(
        30,
        ge=0,
        description="So many requests from one address may fail to say who calls, and so many passphrases be wrong "
        "(429); 0 sets no limit",
    )
    memory_in_flight_bytes: int = Field(
        768 << 20, ge=16 << 20, description="Memory of a process for requests under way; more wait, then get 503"
    )
    turn_seconds: float = Field(20, gt=0, description="How long a request waits for such memory")
    header_seconds: float = Field(
        10, gt=0, description="How long the header of a request may take; then the connection is ended (408)"
    )
    body_seconds: float = Field(
        30,
        gt=0,
        description="How long a body may take, unless it keeps to `slowest_bytes_per_second` (408); also how long an "
        "answer may wait to be read",
    )
    slowest_bytes_per_second: int = Field(10_000, ge=1, description="A body this fast may take longer")
    idle_seconds: float = Field(75, gt=0, description="How long a connection is kept for another request")
    header_bytes: int = Field(32_768, ge=4_096, description="A larger request header is refused (431)")
    header_fields: int = Field(100, ge=20, description="A request header with more fields is refused (431)")

    trial_sender_her_id: int | None = Field(
        None, gt=0, description="In whose name operators send test messages; unset: none"
    )
    traces_endpoint: Url | None = Field(
        None,
        description="A collector that takes traces (OTLP over HTTP), such as `http://127.0.0.1:4318/v1/traces`; needs "
        "the extra `samhandling[traces]`",
    )
    docs_page: bool = Field(
        default=False, description="Whether the page /docs lists every operation; the OpenAPI files are always there"
    )

    def admission(self) -> AdmissionTerms:
        """Give how often callers may ask, and how much memory is for what they send."""
        return AdmissionTerms(
            requests_per_second=self.requests_per_second,
            requests_burst=self.requests_burst,
            failures_per_minute=self.failures_per_minute,
            memory_in_flight=self.memory_in_flight_bytes,
            turn_seconds=self.turn_seconds,
        )

    def manners(self) -> Manners:
        """Give what a caller's connection must keep to."""
        return Manners(
            head_seconds=self.header_seconds,
            body_seconds=self.body_seconds,
            slowest_bytes=self.slowest_bytes_per_second,
            idle_seconds=self.idle_seconds,
            head_bytes=self.header_bytes,
            head_fields=self.header_fields,
        )
