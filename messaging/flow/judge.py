"""Judge: what the validator thinks of a document, told the same way at every door; nothing is kept."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from messaging.documents import Verdict
from messaging.model.message import Envelope


def told(verdict: Verdict) -> dict[str, Any]:
    """Say a verdict: accepted or rejected, every fault with its place, and what the document says it is."""
    return {
        "verdict": "accepted" if verdict.accepted else "rejected",
        "faults": [{**asdict(fault), "code": fault.code.value} for fault in verdict.faults],
        "document": _document(verdict.envelope) if verdict.envelope else None,
    }


def _document(envelope: Envelope) -> dict[str, Any]:
    return {
        "type": envelope.type,
        "version": envelope.version,
        "msg_id": envelope.msg_id,
        "sender": envelope.sender.her_id,
        "receivers": [receiver.address.her_id for receiver in envelope.receivers],
    }
