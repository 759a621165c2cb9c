"""The clients of a run: hospitals that send, municipalities that collect and answer, and strangers that try."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from faults.evidence import FAIL, OK, UNKNOWN, History

from canary import planted
from messaging.http import AsyncClient, HTTPError, Response

WARD, NURSING, OFFICE, GP = 8100001, 8110001, 8110002, 8120001
HOSPITAL = [8100000, 8100001, 8100002, 8100003]
MUNICIPALITY = [8110000, 8110001, 8110002]
ADMITTED = planted("valid/plo/1.6/log_innlagt_n.xml")
_MSG_ID = re.compile(rb"(<(?:\w+:)?MsgId>)[^<]+")
_GEN_DATE = re.compile(rb"(<(?:\w+:)?GenDate>)[^<]+")
_EDI = {"api-version": "3", "nhn-source-system": "Faults, 1.0"}
_REFUSED = 400
_NOT_KNOWN = (408, 429)


def sha256(content: bytes) -> str:
    """Hash as the histories and the dump do."""
    return hashlib.sha256(content).hexdigest()


def document(msg_id: str, *, padding: int = 0) -> bytes:
    """Write a document as if it were made now; white space after it makes its bytes others."""
    now = datetime.now(UTC).isoformat(timespec="seconds").encode()
    content = _MSG_ID.sub(rb"\g<1>" + msg_id.encode(), ADMITTED, count=1)
    return _GEN_DATE.sub(rb"\g<1>" + now, content, count=1) + b"\n" * padding


def outcome_of(answer: Response) -> str:
    """Read what an answer says of what was asked: done, not done, or nobody knows."""
    if answer.is_success:
        return OK
    return UNKNOWN if answer.status_code >= 500 or answer.status_code in _NOT_KNOWN else FAIL


@dataclass
class Caller:
    """One organisation's system, which asks whichever process answers."""

    urls: list[str]
    key: str
    history: History
    draw: random.Random
    http: AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.http = AsyncClient(timeout=15, headers={"Authorization": f"Bearer {self.key}"})

    async def ask(self, method: str, path: str, **given: Any) -> Response | None:
        """Ask one process; None when the connection gave no answer."""
        try:
            return await self.http.request(method, self.draw.choice(self.urls) + path, **given)
        except HTTPError:
            return None

    async def close(self) -> None:
        await self.http.aclose()


@dataclass
class Sender(Caller):
    """Sends documents, each until it is accepted, now and then twice or with other bytes, and looks at its status."""

    sender: int = WARD
    accepted: dict[str, str] = field(default_factory=dict)
    """Message id by MsgId."""
    sent: dict[str, bytes] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)
    """How often a posted document was answered with which HTTP status."""

    async def run(self, enough: asyncio.Event, *, pause: float = 0.02) -> None:
        """Send until it is enough."""
        while not enough.is_set():
            await self.send(document(msg_id := str(uuid4())), msg_id, enough)
            await self._now_and_then()
            await _pause(enough, pause)

    async def send(self, content: bytes, msg_id: str, enough: asyncio.Event | None = None) -> str | None:
        """Post one document until somebody says what became of it."""
        while True:
            start = time.time()
            answer = await self.ask("POST", "/documents", content=content, headers={"Content-Type": "application/xml"})
            outcome = UNKNOWN if answer is None else outcome_of(answer)
            told = {"sender": self.sender, "msg_id": msg_id, "sha256": sha256(content)}
            if answer is not None:
                told["http"] = answer.status_code
                self.answers[answer.status_code] += 1
            if answer is not None and outcome == OK:
                told["message_id"] = self.accepted[msg_id] = answer.json()["id"]
                self.sent[msg_id] = content
            self.history.write("post", start, outcome, **told)
            if outcome != UNKNOWN:
                return told.get("message_id")
            if enough is not None and enough.is_set():
                return None
            await asyncio.sleep(0.05)

    async def _now_and_then(self) -> None:
        if not self.accepted:
            return
        msg_id = self.draw.choice(list(self.accepted)[-50:])
        match self.draw.randrange(12):
            case 0:
                await self.send(self.sent[msg_id], msg_id)
            case 1:
                await self.send(document(msg_id, padding=1), msg_id)
            case 2 | 3:
                await self.look(self.accepted[msg_id])
            case _:
                return

    async def look(self, message_id: str) -> list[dict[str, Any]]:
        """Ask how a message stands."""
        start = time.time()
        answer = await self.ask("GET", f"/messages/{message_id}/status", headers=_EDI)
        if answer is None or not answer.is_success:
            return []
        receivers = [
            {
                "her_id": one["receiverHerId"],
                "transport": one["transportDeliveryState"],
                "apprec": (one["apprecInfo"] or {}).get("appRecStatus"),
            }
            for one in answer.json()["statusList"]
        ]
        self.history.write("status", start, OK, message_id=message_id, receivers=receivers)
        return receivers


@dataclass
class Collector(Caller):
    """Takes what lies in its mailboxes, answers it with an AppRec, and says that it has it; some steps it forgets."""

    her_ids: list[int] = field(default_factory=list)
    forgets: float = 0.1
    """How often it stops half-way, as a client that is killed does, and begins again at the next look."""
    answers: bool = True
    taken: set[tuple[str, int]] = field(default_factory=set)

    async def run(self, enough: asyncio.Event, *, pause: float = 0.05) -> None:
        """Collect until it is enough."""
        while not enough.is_set():
            if not await self.look():
                await _pause(enough, pause)

    async def look(self) -> int:
        """Deal with the oldest notifications; gives how many there were."""
        query = "&".join(f"HerIds={her_id}" for her_id in self.her_ids)
        answer = await self.ask("GET", f"/notifications/unread?{query}&NotificationsToFetch=50", headers=_EDI)
        if answer is None or not answer.is_success:
            return 0
        found = answer.json()["unreadNotifications"]
        self.draw.shuffle(found)  # two collectors of one mailbox do not walk in step
        done = [one["notificationId"] for one in found if await self._heed(one)]
        if done:
            await self.ask("POST", "/notifications/delete", json={"notificationIds": done}, headers=_EDI)
        return len(found)

    async def _heed(self, notification: dict[str, Any]) -> bool:
        if notification["type"] != "NewMessage":
            return True
        message_id, receiver = notification["relatedMessageId"], notification["notificationReceiverHerId"]
        content = await self.fetch(message_id)
        if content is None or self.draw.random() < self.forgets:
            return False
        if self.answers and b"AppRec xmlns" not in content and not await self.answer(message_id, receiver):
            return False
        done = await self.ask(
            "PUT", f"/messages/{message_id}/downloaded", json={"receiverHerId": receiver}, headers=_EDI
        )
        self.taken.add((message_id, receiver))
        return done is not None and done.is_success

    async def fetch(self, message_id: str) -> bytes | None:
        """Fetch a document, and write down what came."""
        start = time.time()
        answer = await self.ask("GET", f"/messages/{message_id}/business-document", headers=_EDI)
        if answer is None or not answer.is_success:
            return None
        content = b64decode(answer.json()["businessDocument"])
        self.history.write("read", start, OK, message_id=message_id, sha256=sha256(content))
        return content

    async def answer(self, message_id: str, receiver: int) -> bool:
        """Answer with an AppRec: most are well, some are refused."""
        start = time.time()
        refuses = int(message_id[:8], 16) % 10 == 0  # the same whoever asks, and at whatever attempt
        said = {
            "appRecSenderHerId": receiver,
            "appRecStatus": "Rejected" if refuses else "Ok",
            "appRecErrorList": [{"errorCode": "E21"}] if refuses else [],
            "applicationName": "Faults",
            "applicationVersion": "1",
        }
        answer = await self.ask("POST", f"/messages/{message_id}/apprec", json=said, headers=_EDI)
        outcome = UNKNOWN if answer is None else outcome_of(answer)
        self.history.write("answer", start, outcome, sender=receiver, answers=message_id)
        return outcome != UNKNOWN


@dataclass
class Stranger(Caller):
    """Asks for what is not theirs, and compares the answer with that about a message that does not exist."""

    async def run(self, enough: asyncio.Event, known: Callable[[], list[str]], *, pause: float = 0.2) -> None:
        """Try until it is enough."""
        while not enough.is_set():
            found = known()
            if found:
                await self.probe(self.draw.choice(found[-50:]))
            await _pause(enough, pause)

    async def probe(self, message_id: str) -> None:
        """Ask for somebody else's message."""
        unknown_id = str(uuid4())
        start = time.time()
        path = self.draw.choice(["/messages/{}", "/messages/{}/business-document", "/messages/{}/status"])
        foreign = await self.ask("GET", path.format(message_id), headers=_EDI)
        unknown = await self.ask("GET", path.format(unknown_id), headers=_EDI)
        if foreign is None or unknown is None or max(foreign.status_code, unknown.status_code) >= 500:
            return
        self.history.write(
            "probe",
            start,
            OK,
            message_id=message_id,
            status=foreign.status_code,
            sha256=sha256(_telling(foreign, message_id)),
            unknown_status=unknown.status_code,
            unknown_sha256=sha256(_telling(unknown, unknown_id)),
        )


def _telling(answer: Response, asked: str) -> bytes:
    """Give what an answer says, without what it repeats of the question and its own number."""
    trace = re.compile(rb'"(requestId|timestamp)":"[^"]*"')
    return trace.sub(b"", answer.content.replace(asked.encode(), b""))


async def _pause(enough: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await enough.wait()
    except TimeoutError:
        return


async def until(true: Callable[[], Awaitable[bool]], *, within: float, every: float = 0.1) -> bool:
    """Ask another process until something is so; False when it is not within the time."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if await true():
            return True
        await asyncio.sleep(every)
    return await true()
