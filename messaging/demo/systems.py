"""The simulated systems: a hospital, a municipality and a GP office, each on another door of the same exchange.

They know nothing but the base URL and their own key. Each sends, looks for news, takes what comes, and answers it.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, NoReturn

from fixtures.stay import Step
from messaging import __version__
from messaging.demo.world import Guest
from messaging.http import AsyncClient, Response, Timeout

_PATIENCE_SECONDS = 10
_BETWEEN_POLLS_SECONDS = 0.1
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Standing:
    """How a message stands at one receiver, as its sender's own door tells it."""

    receiver: int
    transport: str
    apprec: str | None


class System(ABC):
    """One organisation's system: what it has received, by message and receiver, and how it learns of AppRecs."""

    sends_by: str
    receives_by: str

    def __init__(self, base_url: str, guest: Guest, *, api_version: str) -> None:
        self.name = guest.name
        self.received: dict[tuple[str, int], bytes] = {}
        self.busy = asyncio.Lock()
        """Held while something is being dealt with, so that the system is not stopped half-way through it."""
        self._her_ids = [party.her_id for party in guest.parties]
        self._told = asyncio.Event()
        self._http = AsyncClient(
            base_url=base_url,
            timeout=_PATIENCE_SECONDS,
            auth=guest.auth,
            headers={
                "api-version": api_version,
                "nhn-source-system": f"Demo {guest.name}, v{__version__}",
            },
        )

    async def close(self) -> None:
        """Hang up."""
        await self._http.aclose()

    @abstractmethod
    async def prepare(self) -> None:
        """Do what must be done before the first message is sent."""

    @abstractmethod
    async def work(self) -> NoReturn:
        """Take and answer what comes, until cancelled."""

    @abstractmethod
    async def send(self, step: Step) -> str:
        """Send a message; returns the id that the exchange gave it."""

    @abstractmethod
    async def status(self, message_id: str) -> list[Standing]:
        """Ask how a message that was sent stands at each receiver."""

    async def answered(self, message_id: str) -> list[Standing]:
        """Wait until every receiver of a message has answered with an AppRec."""
        while True:
            self._told.clear()
            standings = await self.status(message_id)
            if standings and all(standing.apprec for standing in standings):
                return standings
            await self._told.wait()

    async def _ask(self, method: str, path: str, **given: Any) -> Response:
        answer = await self._http.request(method, path, **given)
        return answer.raise_for_status()

    async def _fetch(self, message_id: str) -> bytes:
        """Fetch a message's document."""
        told = (await self._ask("GET", f"/messages/{message_id}/business-document")).json()
        return b64decode(told["businessDocument"])


class _Version3(System):
    """What the two users of EDI 2.0, version 3 have in common."""

    sends_by = "EDI v3"

    def __init__(self, base_url: str, guest: Guest) -> None:
        super().__init__(base_url, guest, api_version="3")

    async def send(self, step: Step) -> str:
        """Post the document in version 3's wrapping."""
        body = {
            "businessDocument": b64encode(step.content).decode(),
            "senderHerId": step.sender_her_id,
            "receiverHerIds": list(step.receiver_her_ids),
            "contentType": "application/xml",
            "contentTransferEncoding": "base64",
            "messageTypeIdentificator": step.type,
            "applicationName": f"Demo {self.name}",
            "applicationVersion": __version__,
        }
        return str((await self._ask("POST", "/messages", json=body)).json()["id"])

    async def status(self, message_id: str) -> list[Standing]:
        """Ask for the version 3 status."""
        told = (await self._ask("GET", f"/messages/{message_id}/status")).json()
        return [
            Standing(row["receiverHerId"], row["transportDeliveryState"], (row["apprecInfo"] or {}).get("appRecStatus"))
            for row in told["statusList"]
        ]

    async def _heed(self, notification: dict[str, Any]) -> None:
        """Do what a notification asks for."""
        if notification["type"] == "NewMessage":
            await self._take(notification["relatedMessageId"], notification["notificationReceiverHerId"])
        elif notification["type"] == "MessageApprecInfoUpdated":
            self._told.set()

    async def _take(self, message_id: str, receiver: int) -> None:
        """Fetch a message, answer it with an AppRec, and only then say that it was downloaded."""
        self.received[message_id, receiver] = await self._fetch(message_id)
        answer = {
            "appRecSenderHerId": receiver,
            "appRecStatus": "Ok",
            "appRecErrorList": [],
            "applicationName": f"Demo {self.name}",
            "applicationVersion": __version__,
        }
        await self._ask("POST", f"/messages/{message_id}/apprec", json=answer)
        await self._ask("PUT", f"/messages/{message_id}/downloaded", json={"receiverHerId": receiver})


class Hospital(_Version3):
    """Polls the notification log, and remembers how far it has read."""

    receives_by = "EDI v3, notification log"
    _offset = 0

    async def prepare(self) -> None:
        """Read past what was told before the play."""
        while await self._next_page():
            pass

    async def work(self) -> NoReturn:
        """Poll the log, and do what each notification asks for."""
        while True:
            async with self.busy:
                for notification in await self._next_page():
                    await self._heed(notification)
            await asyncio.sleep(_BETWEEN_POLLS_SECONDS)

    async def _next_page(self) -> list[dict[str, Any]]:
        query = {"HerIds": self._her_ids, "Offset": self._offset, "NotificationsToFetch": _PAGE}
        page: list[dict[str, Any]] = (await self._ask("GET", "/notifications", params=query)).json()["notifications"]
        if page:
            self._offset = page[-1]["offset"]
        return page


class Municipality(_Version3):
    """Listens to the stream of unread notifications, and deletes each one that it has dealt with."""

    receives_by = "EDI v3, event stream"

    async def prepare(self) -> None:
        """Leave everything to the stream: what lies unread comes first."""

    async def work(self) -> NoReturn:
        """Follow the stream, and delete a notification once it is dealt with."""
        while True:
            async for notification in self._news():
                async with self.busy:
                    await self._heed(notification)
                    done = {"notificationIds": [notification["notificationId"]]}
                    await self._ask("POST", "/notifications/delete", json=done)

    async def _news(self) -> AsyncIterator[dict[str, Any]]:
        """Read `event: notification` after `event: notification`; comments and other events are passed over."""
        async with self._http.stream(
            "GET",
            "/notifications/unread/stream",
            params={"HerIds": self._her_ids},
            timeout=Timeout(_PATIENCE_SECONDS, read=None),
        ) as answer:
            answer.raise_for_status()
            event = ""
            async for line in answer.aiter_lines():
                field, _, value = line.partition(":")
                if field == "event":
                    event = value.strip()
                elif field == "data" and event == "notification":
                    yield json.loads(value)


class Practice(System):
    """The GP office: sends its document as plain XML, and lists its unread messages in EDI 2.0, version 2."""

    sends_by = "POST /documents"
    receives_by = "EDI v2, unread list"

    def __init__(self, base_url: str, guest: Guest) -> None:
        super().__init__(base_url, guest, api_version="2")

    async def prepare(self) -> None:
        """Leave everything to the list: what lies unread comes first."""

    async def send(self, step: Step) -> str:
        """Post the document itself; sender and receivers are read from it."""
        answer = await self._ask(
            "POST", "/documents", content=step.content, headers={"Content-Type": "application/xml"}
        )
        return str(answer.json()["id"])

    async def status(self, message_id: str) -> list[Standing]:
        """Ask for the version 2 status."""
        told = (await self._ask("GET", f"/Messages/{message_id}/status")).json()
        return [Standing(row["receiverHerId"], row["transportDeliveryState"], row["appRecStatus"]) for row in told]

    async def work(self) -> NoReturn:
        """List what is unread, answer it, and mark it as read."""
        while True:
            async with self.busy:
                query = {"ReceiverHerIds": self._her_ids, "IncludeMetadata": True}
                for message in (await self._ask("GET", "/Messages", params=query)).json():
                    await self._take(message["id"], message["receiverHerId"], is_apprec=message["isAppRec"])
            await asyncio.sleep(_BETWEEN_POLLS_SECONDS)

    async def _take(self, message_id: str, receiver: int, *, is_apprec: bool) -> None:
        self.received[message_id, receiver] = await self._fetch(message_id)
        if not is_apprec:
            body = {"appRecStatus": "Ok", "appRecErrorList": []}
            await self._ask("POST", f"/Messages/{message_id}/apprec/{receiver}", json=body)
        await self._ask("PUT", f"/Messages/{message_id}/read/{receiver}")
        if is_apprec:
            self._told.set()


def system_of(base_url: str, guest: Guest) -> System:
    """Make the system of one of the demo's clients."""
    made: dict[str, type[Hospital | Municipality | Practice]] = {
        "sykehus": Hospital,
        "kommune": Municipality,
        "lege": Practice,
    }
    return made[guest.name](base_url, guest)
