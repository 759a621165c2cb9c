"""The vocabulary of the log: what a line may say has happened, and the fields that it may carry."""

from __future__ import annotations

from enum import StrEnum


class LogEvent(StrEnum):
    """What happened, as `subject.verb`. Alarms are logged under the audit log's own words."""

    REQUEST_ANSWERED = "request.answered"
    REQUEST_FAILED = "request.failed"
    CLIENT_LEFT = "request.client_left"
    CONNECTION_ENDED = "connection.ended"
    """We ended it, and `reason` says why; `count` is how many this process has ended for that reason."""
    STREAM_ENDED = "stream.ended"
    START_REFUSED = "start.refused"
    COMMAND_FAILED = "command.failed"
    PART_FAILED = "part.failed"
    DATABASE_AWAITED = "database.awaited"
    WAKEUPS_LOST = "wakeups.lost"
    ADAPTER_RAISED = "adapter.raised"
    LEASE_LAPSED = "lease.lapsed"
    """A worker came to its delivery too late, and left it to another."""
    ISSUER_NOT_ASKED = "issuer.not_asked"
    APPREC_NOT_TAKEN = "apprec.not_taken"
    ALARM_RAISED = "alarm.raised"
    ALARM_NOT_TOLD = "alarm.not_told"
    ANCHOR_NOT_WRITTEN = "anchor.not_written"
    ANCHOR_WRITTEN_AGAIN = "anchor.written_again"
    KEY_MISSING = "key.missing"
    LIBRARY = "library"
    """A line of a library or an adapter: its words as they stand in its code, and the place, without any value."""
    UNNAMED = "unnamed"
    """A line whose event is not of this list; only a mistake in the code makes one."""


FIELDS = frozenset(
    {
        "adapter",
        "anchor",
        "bytes",
        "causes",
        "client_id",
        "code",
        "count",
        "delivery_id",
        "door",
        "duration_ms",
        "error",
        "her_id",
        "message_id",
        "method",
        "next",
        "numbers",
        "part",
        "place",
        "reason",
        "refusal_id",
        "request_id",
        "route",
        "seconds",
        "since",
        "status",
        "template",
        "trace",
    }
)
"""Every field that a line may carry: ids, codes, counts, times, and words of our own. Any other is dropped.

`reason` and `next` hold sentences of ours. `route` is a path as the OpenAPI document writes it, without values.
"""
