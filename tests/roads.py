"""The roads that a message and its AppRec can take, so that one table of situations runs over each of them.

On every road one organisation hands documents in and others answer; what comes back to the first is AppRecs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from lxml import etree

import fixtures
from adapters import file_drop
from messaging.api import create_api
from messaging.documents import write_apprec
from messaging.flow.deliver import RouteWorker
from messaging.flow.exchange import Exchange
from messaging.flow.work import submit_to
from messaging.http import ASGITransport, AsyncClient
from messaging.model.receipt import Receipt, ReceiptError, ReceiptStatus
from messaging.registry import Registry
from messaging.settings import RouteSetting, Settings
from world import SetClock, World, world

WARD, NURSING, GP = 8100001, 8110001, 8120001
OWNERS = {
    party.her_id: ("sykehus", "kommune", "lege")[(party.her_id - 8_100_000) // 10_000] for party in fixtures.parties()
}
XML = {"Content-Type": "application/xml"}


@dataclass(frozen=True)
class AppRec:
    """An AppRec as the sender's system reads it."""

    id: str
    version: str
    role: str
    status: str
    errors: tuple[tuple[str, str], ...]
    sender: tuple[str, ...]
    receiver: tuple[str, ...]
    receiver_role: str
    persons: tuple[str, ...]
    original: tuple[str, str, str]

    @property
    def codes(self) -> list[str]:
        return [code for code, _ in self.errors]


def apprec(content: bytes) -> AppRec:
    """Read an AppRec by its elements' places."""
    root = etree.fromstring(content)
    space = {"a": etree.QName(root).namespace}

    def found(path: str) -> list[str]:
        return [str(one) for one in root.xpath(path, namespaces=space)]

    def her_ids(place: str) -> tuple[str, ...]:
        return tuple(
            found(f"a:{place}//a:TypeId[@V='HER']/../a:Id/text() | a:{place}//a:Type[@V='HER']/../a:Id/text()")
        )

    return AppRec(
        id=found("a:Id/text()")[0],
        version={"2004-11-21": "1.0", "2012-02-15": "1.1"}[space["a"].rpartition("/")[2]],
        role=found("a:Sender/a:Role/@V")[0],
        status=found("a:Status/@V")[0],
        errors=tuple((one.get("V", ""), one.get("OT", "")) for one in root.iterfind("a:Error", space)),
        sender=her_ids("Sender"),
        receiver=her_ids("Receiver"),
        receiver_role=found("a:Receiver/a:Role/@V")[0],
        persons=tuple(found("a:Sender//a:HCPerson/a:Name/text() | a:Receiver//a:HCPerson/a:Name/text()")),
        original=(
            found("a:OriginalMsgId/a:MsgType/@V")[0],
            found("a:OriginalMsgId/a:IssueDate/text()")[0],
            found("a:OriginalMsgId/a:Id/text()")[0],
        ),
    )


class Road(ABC):
    """One way from a hospital to its receivers and back."""

    def __init__(self, running: World) -> None:
        self.world = running

    @property
    def exchange(self) -> Exchange:
        return self.world.exchange

    @abstractmethod
    async def send(self, content: bytes, sender: int = WARD) -> list[str]:
        """Hand a document in for its sender; tells the codes of its faults, none when it is accepted."""

    @abstractmethod
    async def answer(self, content: bytes, her_id: int, errors: Sequence[ReceiptError] = ()) -> None:
        """Let a receiver answer the last document that was sent: OK, or rejected with errors."""

    @abstractmethod
    async def receipts(self) -> list[AppRec]:
        """Every AppRec that has come back to a sender so far, in the order in which they came."""


def receipt_of(errors: Sequence[ReceiptError]) -> Receipt:
    return Receipt(ReceiptStatus.REJECTED if errors else ReceiptStatus.OK, tuple(errors))


class HttpRoad(Road):
    """What the two HTTP roads have in common: where a document goes in, and where a refusal's AppRec is offered."""

    def __init__(self, running: World, stack: AsyncExitStack) -> None:
        super().__init__(running)
        self._app = create_api()
        self._app.state.exchange = running.exchange
        stack.callback(delattr, self._app.state, "exchange")  # its routers outlive the test
        self._stack = stack
        self._clients: dict[tuple[str, str], AsyncClient] = {}
        self.sent: list[tuple[str, int]] = []
        self._offered: list[AppRec] = []

    async def of(self, client: str, version: str = "") -> AsyncClient:
        if (client, version) not in self._clients:
            headers = {"Authorization": f"Bearer {self.world.keys[client]}"}
            edi = {"api-version": version, "nhn-source-system": "Test EPJ, 1.0"} if version else {}
            made = AsyncClient(transport=ASGITransport(self._app), base_url="http://exchange", headers=headers | edi)
            self._clients[client, version] = await self._stack.enter_async_context(made)
        return self._clients[client, version]

    async def send(self, content: bytes, sender: int = WARD) -> list[str]:
        self.world.clock.forward(seconds=1)
        client = await self.of(OWNERS[sender])
        answer = await client.post("/documents", content=content, headers=XML)
        told = answer.json()
        if answer.is_success:
            if not (self.sent and self.sent[-1][0] == told["id"]):
                self.sent.append((told["id"], sender))
            return []
        await self._take_offered(client, told["refusalId"])
        return [fault["code"] for fault in told["faults"]]

    async def _take_offered(self, client: AsyncClient, refusal_id: str) -> None:
        number = 1
        while (offered := await client.get(f"/operations/refused/{refusal_id}/apprec?number={number}")).is_success:
            receipt = apprec(offered.content)
            if receipt not in self._offered:
                self._offered.append(receipt)
            number += 1

    async def receipts(self) -> list[AppRec]:
        return [*self._offered, *[apprec(content) for content in await self._answers()]]

    @abstractmethod
    async def _answers(self) -> list[bytes]: ...


class JsonRoad(HttpRoad):
    """Receivers answer by EDI 2.0's JSON, and the sender reads the status."""

    async def answer(self, content: bytes, her_id: int, errors: Sequence[ReceiptError] = ()) -> None:
        assert content, "the last one that was sent; its id says which"
        said = {
            "appRecSenderHerId": her_id,
            "appRecStatus": "Rejected" if errors else "Ok",
            "appRecErrorList": [{"errorCode": one.code, "details": one.details} for one in errors] or None,
            "applicationName": "EPJ",
            "applicationVersion": "1",
        }
        client = await self.of(OWNERS[her_id], "3")
        done = await client.post(f"/messages/{self.sent[-1][0]}/apprec", json=said)
        assert done.status_code == 202, done.text

    async def _answers(self) -> list[bytes]:
        from base64 import b64decode

        found = []
        for message_id, sender in self.sent:
            client = await self.of(OWNERS[sender], "3")
            rows = (await client.get(f"/messages/{message_id}/status")).json()["statusList"]
            for receipt_id in [row["apprecInfo"]["appRecId"] for row in rows if row["apprecInfo"]]:
                told = (await client.get(f"/messages/{receipt_id}/business-document")).json()
                found.append(b64decode(told["businessDocument"]))
        return found


class XmlRoad(HttpRoad):
    """Receivers write the AppRec themselves and hand it in, and the sender finds it in its mailbox."""

    async def answer(self, content: bytes, her_id: int, errors: Sequence[ReceiptError] = ()) -> None:
        self.world.clock.forward(seconds=1)
        done = await (await self.of(OWNERS[her_id])).post(
            "/documents", content=written(self.exchange, content, her_id, errors), headers=XML
        )
        assert done.is_success, done.text

    async def _answers(self) -> list[bytes]:
        found = []
        for sender in dict.fromkeys(sender for _, sender in self.sent):
            mailbox, plain = await self.of(OWNERS[sender], "2"), await self.of(OWNERS[sender])
            asked = {"ReceiverHerIds": sender, "IncludeMetadata": "true", "MessagesToFetch": 100}
            rows = (await mailbox.get("/Messages", params=asked)).json()
            receipts = [row["id"] for row in rows if row["isAppRec"]]
            found += [(await plain.get(f"/documents/{receipt_id}")).content for receipt_id in receipts]
        return found


def written(exchange: Exchange, content: bytes, her_id: int, errors: Sequence[ReceiptError]) -> bytes:
    """Write an AppRec as a receiver's own system would, a moment later."""
    kind = exchange.validator.kind_of(content)
    assert kind is not None
    return write_apprec(
        content,
        receipt_of(errors),
        version=kind.apprec,
        answerer=her_id,
        msg_id=str(uuid4()),
        gen_date=exchange.clock().isoformat(),
    )


class FileRoad(Road):
    """Each organisation's system stands behind a folder."""

    def __init__(self, running: World, folder: Path) -> None:
        super().__init__(running)
        self._folder = folder
        self._number = 0
        self._seen: dict[str, AppRec] = {}

    async def send(self, content: bytes, sender: int = WARD) -> list[str]:
        reports = set((self._folder / OWNERS[sender] / "rejected").glob("*.faults.json"))
        await self._put(OWNERS[sender], content)
        new = set((self._folder / OWNERS[sender] / "rejected").glob("*.faults.json")) - reports
        return [fault["code"] for report in new for fault in _json(report)["faults"]]

    async def answer(self, content: bytes, her_id: int, errors: Sequence[ReceiptError] = ()) -> None:
        out = [path.read_bytes() for path in sorted((self._folder / OWNERS[her_id] / "out").iterdir())]
        assert content in out, "the receiver's system answers what it has received"
        await self._put(OWNERS[her_id], written(self.exchange, content, her_id, errors))
        assert not [*(self._folder / OWNERS[her_id] / "rejected").iterdir()]

    async def receipts(self) -> list[AppRec]:
        for folder in self._folder.iterdir():
            for path in sorted((folder / "receipts").iterdir(), key=lambda path: path.stat().st_mtime_ns):
                receipt = apprec(path.read_bytes())
                assert self._seen.setdefault(path.name, receipt) == receipt, "what is written stays as it is"
        return [*self._seen.values()]

    async def _put(self, owner: str, content: bytes) -> None:
        self.world.clock.forward(seconds=1)
        self._number += 1
        (self._folder / owner / "in" / f"{self._number}.xml").write_bytes(content)
        await self._adapter(owner).sweep(submit_to(self.exchange, owner))
        for name in self.exchange.adapters:
            while await RouteWorker(self.exchange, name, self._adapter(name), actor="worker").work_once():
                pass

    def _adapter(self, owner: str) -> file_drop.FileDrop:
        adapter = self.exchange.adapters[owner]
        assert isinstance(adapter, file_drop.FileDrop)
        return adapter


def _json(path: Path) -> dict[str, Any]:
    from json import loads

    told: dict[str, Any] = loads(path.read_text(encoding="utf-8"))
    return told


@asynccontextmanager
async def road(kind: str, settings: Settings, clock: SetClock, folder: Path) -> AsyncIterator[Road]:
    """Open an exchange and one of the roads through it: `json`, `xml` or `file_drop`."""
    if kind != "file_drop":
        async with world(settings, clock) as running, AsyncExitStack() as stack:
            yield JsonRoad(running, stack) if kind == "json" else XmlRoad(running, stack)
        return
    adapters = {}
    for owner in sorted(set(OWNERS.values())):
        (folder / owner).mkdir()
        her_ids = [her_id for her_id, name in OWNERS.items() if name == owner]
        adapters[owner] = {"kind": "file_drop", "folder": folder / owner, "quiet_seconds": 0, "her_ids": her_ids}
    routes = tuple(RouteSetting(her_id=her_id, to=owner) for her_id, owner in OWNERS.items())
    configured = settings.model_copy(update={"adapters": adapters, "routes": routes})
    async with world(configured, clock, registry=Registry.of(file_drop.KIND)) as running:
        yield FileRoad(running, folder)
