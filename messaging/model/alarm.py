"""Alarms: who is told of what needs somebody, after how long, and when not."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from uuid import UUID

from messaging.model.clock import OSLO


class About(StrEnum):
    """Why somebody is told of an alarm."""

    RAISED = "raised"
    AGAIN = "again"
    """It has lasted for as long as the rule waits between two tellings, and nobody has acknowledged it."""
    OVER = "over"
    TRIAL = "trial"
    """Nothing is wrong: an operator tries whether the rule reaches anybody."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours of the day, in Norway, in which nobody is told; they may lie on both sides of midnight."""

    begins: time
    ends: time

    def until(self, now: datetime) -> datetime:
        """Give when somebody may be told: now, or when the quiet hours end."""
        local = now.astimezone(OSLO)
        at, over_midnight = local.time(), self.ends < self.begins
        quiet = (at >= self.begins or at < self.ends) if over_midnight else self.begins <= at < self.ends
        if not quiet:
            return now
        day = local.date() + timedelta(days=1 if over_midnight and at >= self.begins else 0)
        return datetime.combine(day, self.ends, OSLO).astimezone(now.tzinfo)


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """When an alarm is raised and who is told: a kind of need, of the whole exchange (None) or of one party.

    The need has lasted for `after`, and there are `at_least` of it. Whoever is told is told again after `again`, as
    long as the need lasts and nobody has acknowledged the alarm; what comes back within that time is the same alarm.
    """

    id: UUID
    her_id: int | None
    kind: str
    after: timedelta = timedelta(0)
    at_least: int = 1
    again: timedelta = timedelta(hours=24)
    mail_to: tuple[str, ...] = ()
    """E-mail addresses; with none it is the party's contact persons, or whom the settings name."""
    webhook: str = ""
    quiet: Quiet | None = None
    is_on: bool = True

    def wants(self, count: int, oldest: datetime | None, now: datetime) -> bool:
        """Tell whether there is enough of a need, and for long enough; what is yet to come has lasted for ever."""
        return count >= self.at_least and (oldest is None or oldest > now or now - oldest >= self.after)


@dataclass(frozen=True, slots=True)
class Alarm:
    """One cause as long as it lasts: since when, how much of it there is, who has taken it on, and when it was over."""

    id: UUID
    rule_id: UUID
    her_id: int | None
    kind: str
    raised_at: datetime
    count: int
    oldest: datetime | None
    told_at: datetime
    """When it was last decided to tell somebody."""
    cleared_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    note: str | None = None
    tellings: tuple[Telling, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Telling:
    """One attempt after another to tell somebody of an alarm in one way, until it succeeds or is given up."""

    id: UUID
    alarm_id: UUID
    way: str
    target: str
    about: About
    due_at: datetime
    attempts: int = 0
    ended_at: datetime | None = None
    error: str = ""
    """Why the last attempt failed, or why it was never made; empty when somebody was told."""


FIRST_RETRY = timedelta(seconds=30)
LONGEST_RETRY = timedelta(hours=1)
MOST_ATTEMPTS = 12


def next_attempt(attempts: int, now: datetime) -> datetime | None:
    """Say when to try again after so many attempts; None when that was the last one."""
    if attempts >= MOST_ATTEMPTS:
        return None
    doubled: timedelta = FIRST_RETRY * 2 ** (attempts - 1)
    return now + min(LONGEST_RETRY, doubled)
