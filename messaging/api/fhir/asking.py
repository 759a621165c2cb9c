"""What a FHIR client asks for, read from the query as FHIR R4 writes it (chapter 3.1.1, search)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import Request

from messaging.api.cursors import before_line
from messaging.api.fhir import audit_event as shape
from messaging.api.problems import MODEL_VALIDATION
from messaging.errors import InvalidRequest
from messaging.flow.follow import Question
from messaging.model.audit import AuditEvent
from messaging.model.clock import OSLO
from messaging.model.lifecycle import Event
from messaging.model.stations import STATUSES

KNOWN = ("entity", "date", "agent", "type", "subtype", "_count", "_cursor", "_format")
LARGEST_PAGE = 200
_ONCE = tuple(name for name in KNOWN if name != "date")
_FORMATS = ("json", "application/json", "application/fhir+json")
_LONGEST = 200
_LARGEST_HER_ID = 2**31 - 1
_DATE = re.compile(
    r"(eq|ge|le|gt|lt|sa|eb)?(\d{4})(?:-(\d{2})(?:-(\d{2})"
    r"(?:T(\d{2}):(\d{2})(?::(\d{2})(\.\d{1,6})?)?(Z|[+ -]\d{2}:\d{2})?)?)?)?"
)

_EVENTS = frozenset({*map(str, AuditEvent), *(f"delivery.{event.value}" for event in Event)})


def question_of(request: Request) -> Question:
    """Read the query. Raises InvalidRequest that names the parameter: a question half understood is not answered."""
    query = request.query_params
    wrong = [f"{name}: is not known here" for name in query if name not in KNOWN]
    wrong += [f"{name}: may stand once" for name in _ONCE if len(query.getlist(name)) > 1]
    wrong += [
        f"{name}: is empty, too long or holds a control character" for name in query if not _is_plain(query[name])
    ]
    if wrong:
        raise _invalid(*wrong)
    if query.get("_format", "json") not in _FORMATS:
        raise _invalid("_format: must be json")
    asked = Question(limit=_count(query.get("_count", "50")), before=before_line(query.get("_cursor")))
    asked = _in_time(asked, query.getlist("date"))
    if "entity" in query:
        asked = replace(asked, entity=_value(query["entity"]).removeprefix("urn:uuid:"))
    if "agent" in query:
        asked = _by_agent(asked, _value(query["agent"]))
    events = _events(query.get("type"), query.get("subtype"))
    return asked if events is None else replace(asked, events=events)


def _invalid(*details: str) -> InvalidRequest:
    return InvalidRequest("The search cannot be done as it is asked.", code=MODEL_VALIDATION, details=list(details))


def _is_plain(text: str) -> bool:
    return 0 < len(text) <= _LONGEST and text.isprintable()


def _value(token: str) -> str:
    """Take the value of a token: SYSTEM|VALUE, or VALUE."""
    return token.rpartition("|")[2]


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= LARGEST_PAGE:
        raise _invalid(f"_count: must be 1 to {LARGEST_PAGE}")
    return int(text)


def _by_agent(asked: Question, value: str) -> Question:
    if value.isascii() and value.isdecimal():
        if int(value) > _LARGEST_HER_ID:
            raise _invalid("agent: is no HER-id")
        return replace(asked, party=int(value))
    return replace(asked, actor=value)


def _in_time(asked: Question, dates: Sequence[str]) -> Question:
    """Narrow the time by each date, whose end depends on how precisely it is written."""
    since, until = [], []
    for text in dates:
        prefix, start, end = _period(text)
        if prefix in ("eq", "ge"):
            since.append(start)
        if prefix in ("gt", "sa"):
            since.append(end)
        if prefix in ("eq", "le"):
            until.append(end)
        if prefix in ("lt", "eb"):
            until.append(start)
    return replace(asked, since=max(since, default=None), until=min(until, default=None))


def _period(text: str) -> tuple[str, datetime, datetime]:
    found = _DATE.fullmatch(text)
    try:
        if found:
            return (found[1] or "eq", *_span(found))
    except (ValueError, OverflowError):
        pass
    raise _invalid("date: must be a date such as ge2026-03-09, or 2026-03-09T12:00:00+01:00")


def _span(found: re.Match[str]) -> tuple[datetime, datetime]:
    year, month, day, hour, minute, second = (int(part) if part else None for part in found.groups()[1:7])
    written = datetime(year or 0, month or 1, day or 1, hour or 0, minute or 0, second or 0, tzinfo=OSLO)
    zone = (found[9] or "").replace(" ", "+")
    if zone:
        offset = datetime.fromisoformat(f"2000-01-01T00:00:00{zone}").tzinfo
        written = written.replace(tzinfo=offset)
    if found[8]:
        written += timedelta(seconds=float(found[8]))
        return written.astimezone(UTC), (written + timedelta(microseconds=1)).astimezone(UTC)
    if month is None:
        end = written.replace(year=written.year + 1)
    elif day is None:
        end = (written + timedelta(days=31)).replace(day=1)
    elif hour is None:
        end = written + timedelta(days=1)
    else:
        end = written + (timedelta(minutes=1) if second is None else timedelta(seconds=1))
    return written.astimezone(UTC), end.astimezone(UTC)


def fits(resource: Mapping[str, Any], kind: str | None, subtype: str | None) -> bool:
    """Tell whether a resource is of a type and a subtype; a subtype may also be our own word for what happened."""
    [event] = [one["valueString"] for one in resource["entity"][0]["detail"] if one["type"] == "event"]
    codes = {event, *(one["code"] for one in resource["subtype"])}
    return (kind is None or _value(kind) == resource["type"]["code"]) and (subtype is None or _value(subtype) in codes)


def _events(kind: str | None, subtype: str | None) -> frozenset[str] | None:
    """Tell which lines can be of a type and a subtype (`fits` has the last word); None is all of them."""
    if kind is None and subtype is None:
        return None
    messaging, looks = frozenset(map(str, STATUSES)), frozenset(map(str, shape.INTERACTIONS))
    found = _EVENTS
    if kind is not None:
        kinds = {
            shape.MESSAGING_TYPE: messaging,
            shape.REST_TYPE: looks,
            shape.OPERATION_TYPE: (_EVENTS - messaging - looks) | {AuditEvent.DELIVERY_CREATED.value},
        }
        found &= kinds.get(_value(kind), frozenset())
    if subtype is not None:
        code = _value(subtype)
        passed = {event for event, status in STATUSES.items() if status.passed == code}
        looked = {event.value for event, (name, _) in shape.INTERACTIONS.items() if name == code}
        found &= {*map(str, passed), *looked, *({code} & _EVENTS)}
    return found
