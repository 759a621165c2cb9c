"""What people are told of an alarm, in Norwegian and then in English; never a name, and nothing of a document."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from messaging.flow.overview import Kind
from messaging.model.alarm import About
from messaging.model.clock import OSLO

NEEDS: Mapping[str, tuple[str, str]] = {
    Kind.APPREC_OVERDUE: ("meldinger mangler kvittering etter fristen", "messages lack an AppRec past its deadline"),
    Kind.GIVEN_UP: ("leveringer er oppgitt etter siste forsøk", "deliveries were given up after the last attempt"),
    Kind.REJECTED: ("avviste meldinger er ikke sett på", "rejected messages have not been looked at"),
    Kind.UNCOLLECTED: ("meldinger ligger uhentet i postkassen", "messages lie uncollected in a mailbox"),
    Kind.UNPOLLED: ("postkasser er ikke spurt etter på et døgn", "mailboxes have not been asked for in 24 hours"),
    Kind.PARKED: ("ruter er parkert", "routes are parked"),
    Kind.EXPIRING: ("nøkler eller sertifikater går snart ut", "keys or certificates end soon"),
    Kind.UNSEALED: ("linjer i revisjonsloggen er ikke forseglet", "lines of the audit log are not sealed"),
    Kind.REFUSED: ("dokumenter er nektet i døra siste døgn", "documents were refused at the door in the last 24 hours"),
}
_ABOUT: Mapping[About, tuple[str, str]] = {
    About.RAISED: ("", ""),
    About.AGAIN: ("fortsatt: ", "still: "),
    About.OVER: ("over: ", "over: "),
    About.TRIAL: ("prøve: ", "trial: "),
}
_TRIAL = (
    "Dette er en prøve. Ingenting er galt; noen ville se om varselet når fram.",
    "This is a trial. Nothing is wrong; somebody wanted to see whether the alarm reaches anybody.",
)


def subject(about: About, kind: str, count: int, whom: str) -> str:
    """Write the line that a person sees first."""
    return f"Samhandling, {whom or 'hele sentralen'}: {_ABOUT[about][0]}{NEEDS[kind][0]}{_so_many(about, count)}"


def text(about: About, kind: str, count: int, oldest: datetime | None, *, whom: str, link: str) -> str:
    """Write the whole of it."""
    parts = []
    for language, place in enumerate((whom or "Hele sentralen", whom or "The whole exchange")):
        sentence = f"{place}: {_ABOUT[about][language]}{NEEDS[kind][language]}{_so_many(about, count)}."
        lines = [sentence]
        if about is About.TRIAL:
            lines.append(_TRIAL[language])
        elif oldest is not None and about is not About.OVER:
            since = ("Den eldste er fra", "The oldest is from")[language]
            lines.append(f"{since} {oldest.astimezone(OSLO):%d.%m.%Y %H:%M}.")
        parts.append("\n".join(lines))
    return "\n\n".join([*parts, link]) + "\n"


def _so_many(about: About, count: int) -> str:
    return "" if about in (About.OVER, About.TRIAL) else f" ({count})"
