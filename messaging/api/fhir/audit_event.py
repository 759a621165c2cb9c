"""One audit line as an AuditEvent (FHIR R4), in the shape of EHMI's delivery status where it is a step of a message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from messaging import __version__
from messaging.flow.follow import Followed
from messaging.model.audit import AuditEvent
from messaging.model.stations import Status, status_of

Json = dict[str, Any]

OWN = "urn:x-samhandling"
"""Our own code systems; whoever has registered names for them may map these."""
EHMI = f"{OWN}:ehmi"
EVENT = f"{OWN}:audit-event"
ACTOR = f"{OWN}:actor"
HER_ID = "urn:oid:2.16.578.1.12.4.1.2"
MESSAGE_TYPE = "urn:oid:2.16.578.1.12.4.1.1.8279"
URI = "urn:ietf:rfc:3986"
REST = {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"}
INTERACTION = "http://hl7.org/fhir/restful-interaction"

MESSAGING_TYPE, REST_TYPE, OPERATION_TYPE = "ehmiMessaging", "rest", "operation"
INTERACTIONS = {
    AuditEvent.DOCUMENT_READ: ("read", "R"),
    AuditEvent.MESSAGE_VIEWED: ("read", "R"),
    AuditEvent.MESSAGES_SEARCHED: ("search-type", "E"),
}
"""Lines that tell that somebody has looked, as FHIR names such a look, and its action."""

_SUCCESS, _SERIOUS = "0", "8"


def resource(followed: Followed) -> Json:
    """Write a line as a resource."""
    line = followed.line
    status = status_of(line["event"], line["detail"])
    return {
        "resourceType": "AuditEvent",
        "id": str(line["id"]),
        "meta": {"lastUpdated": line["at"].isoformat()},
        **_kind(line["event"], status),
        "recorded": line["at"].isoformat(),
        **_outcome(status),
        "agent": list(_agents(followed, status)),
        "source": _source(status),
        "entity": list(_entities(followed, status)),
    }


def _kind(event: str, status: Status | None) -> Json:
    if status is not None:
        return {
            "type": {"system": EHMI, "code": MESSAGING_TYPE},
            "subtype": [{"system": EHMI, "code": status.passed.value}],
            "action": "C",
        }
    if event in INTERACTIONS:
        interaction, action = INTERACTIONS[AuditEvent(event)]
        return {"type": REST, "subtype": [{"system": INTERACTION, "code": interaction}], "action": action}
    return {
        "type": {"system": OWN, "code": OPERATION_TYPE},
        "subtype": [{"system": EVENT, "code": event}],
        "action": "E",
    }


def _outcome(status: Status | None) -> Json:
    if status is None or not status.trouble:
        return {"outcome": _SUCCESS}
    return {"outcome": _SERIOUS, "outcomeDesc": status.trouble}


def _agents(followed: Followed, status: Status | None) -> Iterator[Json]:
    """Name who acted, who sent, and who receives; for a step of one delivery only its own receiver."""
    line, message = followed.line, followed.message
    actor: Json = {"who": {"identifier": {"system": ACTOR, "value": line["actor"]}}, "requestor": True}
    role = line["detail"].get("role")
    if role in ("party", "operator", "auditor", "admin"):
        actor["role"] = [{"coding": [{"system": OWN, "code": role}]}]
    yield actor
    if message is None or status is None:
        return
    receivers = [line["her_id"]] if line["delivery_id"] else followed.receivers
    yield _party("ehmiSender", message["sender_her_id"])
    yield from (_party("ehmiReceiver", her_id) for her_id in receivers)


def _party(part: str, her_id: int) -> Json:
    return {
        "type": {"coding": [{"system": EHMI, "code": part}]},
        "who": {"identifier": {"system": HER_ID, "value": str(her_id)}},
        "requestor": False,
    }


def _source(status: Status | None) -> Json:
    source: Json = {"observer": {"type": "Device", "display": f"Samhandling {__version__}"}}
    if status is not None:
        source["type"] = [{"system": EHMI, "code": status.station.value}]
    return source


def _entities(followed: Followed, status: Status | None) -> Iterator[Json]:
    line, message = followed.line, followed.message
    details = [{"type": "event", "valueString": line["event"]}]
    if line["delivery_id"]:
        details.append({"type": "delivery", "valueString": str(line["delivery_id"])})
    if message is None:
        yield {"type": {"system": EHMI, "code": "ehmiMessage"}, "detail": details} if status else {"detail": details}
        return
    kind = "ehmiOrigMessage" if status and status.is_answer else "ehmiMessage"
    details += [
        {"type": "ehmiMessageType", "valueString": message["type"]},
        {"type": "ehmiMessageVersion", "valueString": message["version"]},
    ]
    yield _entity(kind, _identifier(message["msg_id"]), detail=details)
    yield _entity("ehmiMessageEnvelope", {"system": URI, "value": f"urn:uuid:{message['id']}"})
    if followed.answers is not None:
        yield _entity("ehmiOrigMessage", _identifier(followed.answers))


def _entity(kind: str, identifier: Json, **more: Any) -> Json:
    return {"what": {"identifier": identifier}, "type": {"system": EHMI, "code": kind}, **more}


def _identifier(msg_id: str) -> Json:
    try:
        return {"system": URI, "value": f"urn:uuid:{UUID(msg_id)}"}
    except ValueError:
        return {"value": msg_id}
