"""The access matrix: what every operation of every door answers to every kind of caller.

One row an operation; a new operation without a row fails the tests. To add one, write a `Row` into `ROWS`: its name as
`operations()` gives it ("v3 GET /messages/{message_id}"), what each caller sees, the scope that a key needs for it,
whose request it is, and what to ask. `{…}` in the path are filled from the `Scene`; what a request must make anew each
time (a MsgId, a delivery to close) a `prepare` makes, which gives the same names. Answers that all operations
share (401 to whom nobody knows, the refusal of a key with other scopes) are not repeated.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from fastapi import FastAPI
from sqlalchemy import select, update

import fixtures
from messaging.api.edi.v2 import create_v2
from messaging.api.edi.v3 import create_v3
from messaging.flow import routes
from messaging.flow.receive import Handed, receive
from messaging.model.access import Action
from messaging.model.sight import EVERYTHING
from messaging.store import tables as t
from messaging.store import tables_of_routes as of_routes
from world import World

WARD, NURSING, GP = 8100001, 8110001, 8120001
PERSON = "somebody"
"""The account of a person, whose name this is."""
XML, JSON = "application/xml", "application/json"
DOCUMENT = "valid/plo/1.6/utskrivningsrapport_n.xml"
"""From WARD to NURSING, with a copy to GP."""


class Caller(StrEnum):
    """Everybody who may come."""

    SENDER = "sender"
    RECEIVER = "receiver"
    COPY_RECEIVER = "copy receiver"
    THIRD = "third organisation"
    LOCKED_OUT = "locked-out client"
    """May act for sender and receiver, whom others have locked."""
    OPERATOR = "operator"
    AUDITOR = "auditor"
    ADMIN = "admin"
    LIMITED = "key limited to other scopes"
    REVOKED = "revoked"
    EXPIRED = "expired"
    NONE = "none"


KNOWN = tuple(Caller)[:8]
"""Those whose answers a row names, in this order."""


@dataclass
class Scene:
    """What the requests are about: a message from WARD to NURSING with a copy to GP, and a refused one of WARD's."""

    world: World
    message_id: str = ""
    delivery_id: str = ""
    refusal_id: str = ""
    notification_id: str = ""
    conversation_id: str = ""

    def names(self) -> dict[str, Any]:
        return {
            "message_id": self.message_id,
            "delivery_id": self.delivery_id,
            "refusal_id": self.refusal_id,
            "notification_id": self.notification_id,
            "any_id": self.message_id,
            "name": PERSON,
            "sign_in_id": str(uuid4()),
            "receiver": NURSING,
            "sender": WARD,
            "herId": NURSING,
            "appRecSenderHerId": NURSING,
        }


Prepare = Callable[[Scene], Awaitable[Mapping[str, Any]]]
Body = Callable[[Mapping[str, Any]], bytes]


@dataclass(frozen=True)
class Row:
    """One operation: the answers to `KNOWN` in their order, and a valid request."""

    name: str
    answers: tuple[int, ...]
    needs: Action | None = None
    """The scope that a key needs; None: any key will do."""
    whose: Caller = Caller.RECEIVER
    """Whose request it is, of those who may; the revoked, expired and limited keys are this client's."""
    path: str = ""
    """The path with its query, where it is more than the name says."""
    body: Body | None = None
    media_type: str = JSON
    limited: int = 403
    """What a key limited to other scopes gets; 404 where a message's very being is told to nobody else."""
    prepare: Prepare | None = None
    streams: bool = False
    open: bool = False
    """Nobody is asked who calls."""

    @property
    def door(self) -> str:
        return self.name.split()[0]

    @property
    def method(self) -> str:
        return self.name.split()[1]

    def answer(self, caller: Caller) -> int:
        """Tell what a caller gets."""
        if self.open:
            return self.answers[0]
        if caller in KNOWN:
            return self.answers[KNOWN.index(caller)]
        if caller is not Caller.LIMITED:
            return 401
        return self.limited if self.needs else self.answers[KNOWN.index(self.whose)]


def operations(app: FastAPI) -> Iterator[str]:
    """Name every operation of every door, from their OpenAPI files."""
    for door, one in (("main", app), ("v2", create_v2()), ("v3", create_v3())):
        for path, methods in one.openapi()["paths"].items():
            yield from (f"{door} {method.upper()} {path}" for method in methods)


def with_new_msg_id(document: bytes) -> bytes:
    """Give a document a MsgId of its own."""
    start = document.index(b"MsgId>") + 6
    return document[:start] + str(uuid4()).encode() + document[document.index(b"<", start) :]


def as_json(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told).encode()


async def new_document(_: Scene) -> Mapping[str, Any]:
    return {"document": with_new_msg_id(fixtures.read(DOCUMENT))}


async def new_delivery(scene: Scene) -> Mapping[str, Any]:
    """Send one more message; gives its delivery, which may be closed."""
    document = with_new_msg_id(fixtures.read(DOCUMENT))
    taken = await receive(scene.world.exchange, scene.world.clients["sykehus"], Handed(document, "test"))
    async with scene.world.exchange.database.read(EVERYTHING) as tx:
        found = await tx.scalar(select(t.delivery.c.id).where(t.delivery.c.message_id == taken.message_id))
    return {"delivery_id": str(found), "message_id": str(taken.message_id)}


async def audit_event(scene: Scene) -> Mapping[str, Any]:
    """The line that tells that the message came in."""
    async with scene.world.exchange.database.read(EVERYTHING) as tx:
        of_message = t.audit.c.message_id == UUID(scene.message_id)
        return {"event_id": await tx.scalar(select(t.audit.c.id).where(of_message).order_by(t.audit.c.id).limit(1))}


async def failed_delivery(scene: Scene) -> Mapping[str, Any]:
    """Send one more message; gives its delivery, which was given up."""
    told = await new_delivery(scene)
    async with scene.world.exchange.database.write(EVERYTHING) as tx:
        await tx.connection.execute(
            update(t.delivery).where(t.delivery.c.message_id == UUID(told["message_id"])).values(state="failed")
        )
    return told


async def kept_route(scene: Scene) -> Mapping[str, Any]:
    """A route that messages once went by."""
    name = uuid4().hex
    async with scene.world.exchange.database.write(EVERYTHING) as tx:
        await tx.connection.execute(of_routes.route.insert().values(name=name))
    return {"name": name}


async def parked_route(scene: Scene) -> Mapping[str, Any]:
    """A route that somebody has parked."""
    told = await kept_route(scene)
    await routes.park(scene.world.exchange, scene.world.clients["operator"], told["name"], note="test")
    return told


def _post_v2(told: Mapping[str, Any]) -> bytes:
    return as_json(
        {
            "businessDocument": b64encode(told["document"]).decode(),
            "contentType": XML,
            "contentTransferEncoding": "base64",
        }
    )


def _post_v3(told: Mapping[str, Any]) -> bytes:
    return as_json(
        {
            "businessDocument": b64encode(told["document"]).decode(),
            "contentType": XML,
            "contentTransferEncoding": "base64",
            "senderHerId": WARD,
            "receiverHerIds": [NURSING, GP],
            "messageTypeIdentificator": "UTSKRIVNINGSRAPPORT",
            "applicationName": "Test",
            "applicationVersion": "1",
        }
    )


def _said(**told: Any) -> Body:
    return lambda _: as_json(told)


def _apprec_v3(_: Mapping[str, Any]) -> bytes:
    return as_json(
        {
            "appRecSenderHerId": NURSING,
            "appRecStatus": "Ok",
            "applicationName": "Test",
            "applicationVersion": "1",
        }
    )


def _notifications(told: Mapping[str, Any]) -> bytes:
    return as_json({"notificationIds": [told["notification_id"]]})


def _configuration(_: Mapping[str, Any]) -> bytes:
    """Lock again what is locked already: nothing changes."""
    return as_json({"configurations": [{"herId": NURSING, "receiveNotificationChannel": "Api", "clientLocked": True}]})


#        sender receiver copy third locked-out operator auditor admin
READ_ = (200, 200, 200, 404, 200, 200, 200, 200)
CONTENT = (200, 200, 200, 404, 200, 404, 404, 404)
SENDING = (202, 403, 403, 403, 423, 403, 403, 403)
SENDING_V2 = (201, *SENDING[1:])
MAILBOX = (403, 200, 403, 403, 200, 403, 403, 403)
EVERYBODY = (200,) * 8
REFUSAL = (200, 404, 404, 404, 404, 200, 200, 200)
OVERSEEING = (403, 403, 403, 403, 403, 200, 200, 200)
OPERATING = (403, 403, 403, 403, 403, 204, 403, 204)
WITH_REASON = (403, 403, 403, 403, 403, 200, 403, 200)
ADMINISTERING = (403,) * 7
HERS = f"HerIds={NURSING}"

ROWS = (
    Row("main POST /documents", SENDING, Action.SEND, Caller.SENDER, "/documents",
        lambda told: told["document"], XML, prepare=new_document),
    Row("main GET /documents/{message_id}", CONTENT, Action.READ_CONTENT, limited=404),
    Row("main POST /validate", EVERYBODY, None, Caller.SENDER, "/validate", lambda _: fixtures.read(DOCUMENT), XML),
    Row("main GET /validate", EVERYBODY, open=True),
    Row("main GET /operations/messages", EVERYBODY, Action.READ),
    Row("main POST /operations/patient/messages", WITH_REASON, Action.OPERATE, Caller.OPERATOR, "",
        _said(number="05073500186", reason="the patient asks")),
    Row("main GET /operations/messages/{message_id}", READ_, Action.READ, limited=404),
    Row("main GET /operations/conversations/{any_id}", READ_, Action.READ),
    Row("main GET /operations/refused", EVERYBODY, Action.READ),
    Row("main GET /operations/refused/{refusal_id}", REFUSAL, Action.READ, Caller.SENDER),
    Row("main GET /operations/refused/{refusal_id}/document", (200, 404, 404, 404, 404, 403, 403, 403),
        Action.READ_CONTENT, Caller.SENDER),
    Row("main GET /operations/refused/{refusal_id}/apprec", REFUSAL, Action.READ, Caller.SENDER),
    Row("main POST /operations/deliveries/{delivery_id}/resend", OPERATING, Action.OPERATE, Caller.OPERATOR, "",
        _said(note="mended"), prepare=failed_delivery),
    Row("main POST /operations/deliveries/{delivery_id}/close", OPERATING, Action.OPERATE, Caller.OPERATOR, "",
        _said(note="settled by telephone"), prepare=new_delivery),
    Row("main GET /operations/parties", OVERSEEING, Action.OVERSEE, Caller.OPERATOR),
    Row("main GET /operations/routes", OVERSEEING, Action.OVERSEE, Caller.OPERATOR),
    Row("main POST /operations/routes/{name}/park", OPERATING, Action.OPERATE, Caller.OPERATOR, "",
        _said(note="the far side moves house"), prepare=kept_route),
    Row("main POST /operations/routes/{name}/resume", OPERATING, Action.OPERATE, Caller.OPERATOR, "",
        _said(note="the far side has moved"), prepare=parked_route),
    Row("main GET /operations/given-up", WITH_REASON, Action.OPERATE, Caller.OPERATOR),
    Row("main POST /operations/given-up/resend", WITH_REASON, Action.OPERATE, Caller.OPERATOR, "",
        _said(note="the far side is there again", until="2000-01-01T00:00:00Z")),
    Row("main POST /operations/messages/{message_id}/document", WITH_REASON, Action.OPERATE, Caller.OPERATOR, "",
        _said(reason="asked for by the sender")),
    Row("main POST /operations/refused/{refusal_id}/document", WITH_REASON, Action.OPERATE, Caller.OPERATOR, "",
        _said(reason="asked for by the sender")),
    Row("main POST /operations/deliveries/{delivery_id}/handle", OPERATING, Action.OPERATE, Caller.OPERATOR, "",
        _said(note="called the receiver"), prepare=failed_delivery),
    Row("main GET /operations/messages/{message_id}/readers", READ_, Action.READ, limited=404),
    Row("main GET /operations/readers", EVERYBODY, Action.READ),
    Row("main GET /fhir/AuditEvent", EVERYBODY, Action.READ),
    Row("main GET /fhir/AuditEvent/{event_id}", READ_, Action.READ, prepare=audit_event),
    Row("main GET /fhir/metadata", EVERYBODY),
    Row("main GET /session", EVERYBODY),
    Row("main DELETE /session", (204,) * 8),  # a key has none, and loses nothing
    Row("main PUT /session/passphrase", (403,) * 8, body=_said(current="one", wanted="another")),
    Row("main GET /sign-ins", EVERYBODY),
    Row("main DELETE /sign-ins/{sign_in_id}", (404,) * 8),
    Row("main GET /operations/accounts", (*ADMINISTERING, 200), Action.ADMINISTER, Caller.ADMIN),
    Row("main GET /operations/accounts/{name}", (*ADMINISTERING, 200), Action.ADMINISTER, Caller.ADMIN),
    Row("main POST /operations/accounts/{name}/disable", (*ADMINISTERING, 204), Action.ADMINISTER, Caller.ADMIN),
    Row("main POST /operations/accounts/{name}/enable", (*ADMINISTERING, 204), Action.ADMINISTER, Caller.ADMIN),
    Row("main POST /operations/accounts/{name}/unlock", (*ADMINISTERING, 204), Action.ADMINISTER, Caller.ADMIN),
    Row("main PUT /operations/accounts/{name}/role", (*ADMINISTERING, 204), Action.ADMINISTER, Caller.ADMIN,
        body=_said(role="auditor", herIds=[])),
    Row("main GET /metrics", OVERSEEING, Action.OVERSEE, Caller.OPERATOR),
    Row("main GET /health/live", EVERYBODY, open=True),
    Row("main GET /health/ready", EVERYBODY, open=True),
    Row("v2 GET /messages", MAILBOX, Action.COLLECT, path=f"/messages?ReceiverHerIds={NURSING}"),
    Row("v2 POST /messages", SENDING_V2, Action.SEND, Caller.SENDER, "", _post_v2, prepare=new_document),
    Row("v2 GET /messages/{message_id}", READ_, Action.READ, limited=404),
    Row("v2 GET /messages/{message_id}/business-document", CONTENT, Action.READ_CONTENT, limited=404),
    Row("v2 GET /messages/{message_id}/status", READ_, Action.READ, limited=404),
    Row("v2 GET /messages/{message_id}/apprec", READ_, Action.READ, limited=404),
    Row("v2 POST /messages/{message_id}/apprec/{appRecSenderHerId}", (403, 201, 403, 404, 423, 404, 404, 404),
        Action.ACKNOWLEDGE, body=_said(appRecStatus="Ok")),
    Row("v2 PUT /messages/{message_id}/read/{herId}", (403, 204, 403, 404, 423, 403, 403, 403), Action.ACKNOWLEDGE),
    Row("v3 GET /ping", EVERYBODY, open=True),
    Row("v3 POST /messages", SENDING, Action.SEND, Caller.SENDER, "", _post_v3, prepare=new_document),
    Row("v3 GET /messages/{message_id}", READ_, Action.READ, limited=404),
    Row("v3 GET /messages/{message_id}/business-document", CONTENT, Action.READ_CONTENT, limited=404),
    Row("v3 GET /messages/{message_id}/status", READ_, Action.READ, limited=404),
    Row("v3 POST /messages/{message_id}/apprec", (403, 202, 403, 404, 423, 404, 404, 404), Action.ACKNOWLEDGE,
        body=_apprec_v3),
    Row("v3 PUT /messages/{message_id}/downloaded", (403, 204, 403, 404, 423, 403, 403, 403), Action.ACKNOWLEDGE,
        body=_said(receiverHerId=NURSING)),
    Row("v3 GET /notifications/unread", MAILBOX, Action.COLLECT, path=f"/notifications/unread?{HERS}"),
    Row("v3 GET /notifications", MAILBOX, Action.COLLECT, path=f"/notifications?{HERS}&Offset=0"),
    Row("v3 POST /notifications/delete", (204, 204, 204, 204, 204, 403, 403, 403), Action.COLLECT,
        body=_notifications),
    Row("v3 GET /notifications/unread/stream", MAILBOX, Action.COLLECT,
        path=f"/notifications/unread/stream?{HERS}", streams=True),
    Row("v3 GET /notifications/stream", MAILBOX, Action.COLLECT,
        path=f"/notifications/stream?{HERS}&Offset=0", streams=True),
    Row("v3 PUT /mshconfigurations", (403, 204, 403, 403, 423, 403, 403, 403), Action.CONFIGURE, body=_configuration),
    Row("v3 DELETE /mshconfigurations", (403, 403, 204, 403, 403, 403, 403, 403), Action.CONFIGURE,
        Caller.COPY_RECEIVER, path=f"/mshconfigurations?HerIds={GP}"),
)  # fmt: skip
"""Every operation, and what it answers."""
