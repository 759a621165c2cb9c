"""Said: what a receiver wrote in its AppRec is content, and is read from the encrypted AppRec whenever it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from messaging.errors import DocumentDamaged
from messaging.flow.exchange import Exchange
from messaging.flow.opening import document_of
from messaging.model.sight import EVERYTHING


async def in_words(exchange: Exchange, deliveries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add to rejected deliveries what their AppRecs say; only the codes remain where an AppRec is no longer kept."""
    return [await _in_words(exchange, row) for row in deliveries]


async def _in_words(exchange: Exchange, row: dict[str, Any]) -> dict[str, Any]:
    if not row["receipt_errors"] or row["receipt_message_id"] is None:
        return row
    try:
        # With the exchange's own eyes: whoever sees the delivery sees its answer.
        content = await document_of(exchange, EVERYTHING, row["receipt_message_id"])
    except DocumentDamaged:
        return row
    envelope = exchange.validator.judge(content, schema_only=True).envelope if content else None
    if envelope is None or envelope.receipt is None:
        return row
    return {**row, "receipt_errors": [asdict(error) for error in envelope.receipt.errors]}
