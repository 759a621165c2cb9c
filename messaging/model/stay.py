"""A patient's stay as its messages tell it: which step is expected after which, and who owes it.

Source: HISD 80806, figure 1, and the profiles HIS 1143-1149. What is told is a reminder and never a judgement: a stay
may rightly lack a step, and messages may come in another order than they were written in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class Owes(StrEnum):
    """Who owes a step: the party that sent the one before it, or the one that received it."""

    SENDER = "sender"
    RECEIVER = "receiver"


@dataclass(frozen=True, slots=True)
class Step:
    """One message of a stay, as far as the order of steps is concerned."""

    type: str
    at: datetime
    sender: int
    receivers: tuple[int, ...]
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Expectation:
    """After a message of the type `after`, one of `wanted` is expected, unless one of `instead` has come.

    `also_before`: it may have been written earlier too.
    """

    after: str
    wanted: tuple[str, ...]
    owes: Owes
    within: timedelta | None = None
    instead: tuple[str, ...] = ()
    also_before: bool = False


_A_DAY = timedelta(hours=24)
_ANSWERS = ("DIALOG_HELSEFAGLIG", "DIALOG_NOTAT", "LOG_TILBAKEMELDING")

EXPECTED: tuple[Expectation, ...] = (
    Expectation("LOG_INNLAGT", ("INNLEGGELSESRAPPORT",), Owes.RECEIVER, _A_DAY),
    Expectation("LOG_INNLAGT", ("LOG_UTSKREVET",), Owes.SENDER),
    Expectation("LOG_UTSKRIVNINGSKLAR", _ANSWERS, Owes.RECEIVER, _A_DAY, instead=("LOG_AVMELDING", "LOG_UTSKREVET")),
    Expectation("LOG_UTSKREVET", ("UTSKRIVNINGSRAPPORT",), Owes.SENDER, _A_DAY, also_before=True),
)
"""Steps 1, 3, 9, 11, 13, 15 and 17 of the figure, and how soon each follows."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A step that is expected and has not come: one of these types, from one of these parties, perhaps by a time."""

    wanted: tuple[str, ...]
    owed_by: tuple[int, ...]
    due: datetime | None


def missing(steps: Sequence[Step]) -> list[Missing]:
    """Tell what is expected next in a stay, the first due first; `steps` in the order they were written in."""
    told = []
    standing = [step for step in steps if not step.cancelled]
    for expected in EXPECTED:
        last = next((step for step in reversed(standing) if step.type == expected.after), None)
        if last is None:
            continue
        answers = {*expected.wanted, *expected.instead}
        if any(step.type in answers and (expected.also_before or step.at >= last.at) for step in standing):
            continue
        owed_by = (last.sender,) if expected.owes is Owes.SENDER else last.receivers
        told.append(Missing(expected.wanted, owed_by, last.at + expected.within if expected.within else None))
    return sorted(told, key=_due)


def _due(one: Missing) -> datetime:
    return one.due or datetime.max.replace(tzinfo=UTC)
