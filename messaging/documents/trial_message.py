"""A trial message: a dialogue message of our own that asks for an AppRec and nothing else, and says so (status D)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from uuid import UUID

from markupsafe import Markup

from messaging.model.clock import OSLO

TYPE = "DIALOG_HELSEFAGLIG"


@dataclass(frozen=True, slots=True)
class Addressed:
    """A party on the second level as a document names it, with its organisation on the first."""

    organisation: str
    organisation_her_id: int
    name: str
    her_id: int


def write_trial_message(sender: Addressed, receiver: Addressed, *, msg_id: UUID, at: datetime) -> bytes:
    """Write it, in UTF-8, about the fictitious person of the fixtures."""
    local = at.astimezone(OSLO)
    moment = local.isoformat(timespec="seconds")
    day = local.date().isoformat()
    return str(_template().format(sender=sender, receiver=receiver, msg_id=msg_id, moment=moment, day=day)).encode()


@cache
def _template() -> Markup:
    return Markup(files("messaging.documents").joinpath("trial_message.xml").read_text("utf-8"))  # noqa: S704 - ours
