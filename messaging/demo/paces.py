"""How soon the region's organisations fetch and answer, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from messaging.model.clock import OSLO
from messaging.model.receipt import ReceiptError

STOPPED_BEFORE_THE_END = timedelta(days=3, hours=2)
"""So long ago the one that has stopped fetched for the last time."""

_OPENS, _SHUTS, _SATURDAY = 7, 16, 5
_REJECTED = 0.025

ERRORS = (
    ReceiptError("E35", "Pasienten finnes ikke i mottakersystemet", "Pasienten har ikke tjenester hos oss."),
    ReceiptError("E54", "Pasientens fødselsnummer er ikke registrert i mottagersystemet", "Kontroller nummeret."),
    ReceiptError("E21", "Mottaker finnes ikke", "Tjenesten er lagt ned og erstattet av en annen."),
    ReceiptError("T10", "Støtter ikke meldingsformatet", "Fagsystemet tar ikke imot denne meldingstypen."),
    ReceiptError("X99", "Annen feil", "Meldingen kunne ikke kobles til en åpen sak."),
)


@dataclass(frozen=True, slots=True)
class Pace:
    """How an organisation answers: minutes until it fetches, and from then until its AppRec, the least and the most.

    `attended`: both wait for office hours. `unanswered` is the share that never gets an AppRec.
    """

    fetches: tuple[float, float]
    answers: tuple[float, float]
    attended: bool = False
    unanswered: float = 0.0

    def fetches_at(self, draw: Random, after: datetime) -> datetime:
        """Tell when something that came is fetched."""
        return self._then(draw, after, self.fetches)

    def answers_at(self, draw: Random, after: datetime) -> datetime | None:
        """Tell when something that was fetched is answered; None: never."""
        return None if draw.random() < self.unanswered else self._then(draw, after, self.answers)

    def _then(self, draw: Random, after: datetime, minutes: tuple[float, float]) -> datetime:
        moment = after + timedelta(minutes=draw.uniform(*minutes))
        return _attended(draw, moment) if self.attended else moment


PACES: Mapping[str, Pace] = {
    "brisk": Pace((0.5, 6), (0.1, 4)),
    "office": Pace((5, 40), (5, 100), attended=True),
    "slow": Pace((60, 400), (900, 4800)),
    "forgetful": Pace((5, 60), (10, 150), unanswered=0.12),
    "stopped": Pace((2, 20), (1, 12)),
}


def _attended(draw: Random, moment: datetime) -> datetime:
    """Move a moment into office hours: the next morning that is no weekend, if it lies outside."""
    local = moment.astimezone(OSLO)
    if local.weekday() < _SATURDAY and _OPENS <= local.hour < _SHUTS:
        return moment
    morning = local.replace(hour=_OPENS, minute=draw.randrange(5, 55))
    if local.hour >= _OPENS:
        morning += timedelta(days=1)
    while morning.weekday() >= _SATURDAY:
        morning += timedelta(days=1)
    return morning


def error_in(draw: Random) -> ReceiptError | None:
    """Tell what a receiver finds wrong with a message; None: nothing, as mostly."""
    return draw.choice(ERRORS) if draw.random() < _REJECTED else None
