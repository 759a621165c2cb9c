"""Judge: what the validator thinks of a document, told the same way at every door; nothing is kept."""

from __future__ import annotations

import asyncio
from typing import Any

from messaging.documents import Verdict
from messaging.flow.exchange import Exchange
from messaging.model.faults import Fault, Language
from messaging.model.message import Envelope


async def explain(exchange: Exchange, content: bytes) -> Verdict:
    """Find every fault of a document, and take a while to tell well what its schemas find wrong; nothing is kept."""
    return await asyncio.to_thread(exchange.validator.judge, content, words=exchange.explainer.words)


def told(verdict: Verdict, language: Language = Language.ENGLISH) -> dict[str, Any]:
    """Say a verdict: accepted or rejected, every fault and warning with its place, and what the document says it is."""
    return {
        "verdict": "accepted" if verdict.accepted else "rejected",
        "faults": [fault_told(fault, language) for fault in verdict.faults],
        "warnings": [fault_told(warning, language) for warning in verdict.warnings],
        "document": _document(verdict.envelope) if verdict.envelope else None,
    }


def fault_told(fault: Fault, language: Language = Language.ENGLISH) -> dict[str, Any]:
    """Say one fault or warning: code, text, place, the rule that found it, its severity and its source."""
    return {
        "code": fault.code.value,
        "text": fault.text_in(language),
        "line": fault.line,
        "path": fault.path,
        "column": fault.column,
        "rule": fault.rule.value if fault.rule else None,
        "severity": fault.severity.value,
        "source": fault.source,
    }


def _document(envelope: Envelope) -> dict[str, Any]:
    return {
        "type": envelope.type,
        "version": envelope.version,
        "msg_id": envelope.msg_id,
        "sender": envelope.sender.her_id,
        "receivers": [receiver.address.her_id for receiver in envelope.receivers],
    }
