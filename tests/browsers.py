"""A browser in tests: it keeps cookies, says where a request comes from, and reads forms off pages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from argon2 import PasswordHasher
from lxml import html

from doors import Api
from messaging.flow import accounts
from messaging.http import ASGITransport, AsyncClient, Response
from messaging.model.access import Role
from messaging.model.account import Account
from messaging.model.party import Client
from messaging.passwords import Passwords

HOME = "https://samhandling"
PASSPHRASE = "kaffe og tykk tåke"
ADMIN = Client("cli:test", "terminal", Role.ADMIN)
NURSING, WARD = 8110001, 8100001
PEOPLE = {
    "kari": (Role.OPERATOR, frozenset[int]()),
    "alf": (Role.AUDITOR, frozenset[int]()),
    "ada": (Role.ADMIN, frozenset[int]()),
    "nils": (Role.PARTY, frozenset({NURSING})),
}


async def employ(api: Api) -> None:
    """Give the exchange an account in each role, with passphrases that are hashed quickly."""
    quick = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    api.app.state.exchange = replace(api.world.exchange, passwords=quick)
    for name, (role, her_ids) in PEOPLE.items():
        account = Account(name, name.title(), role, her_ids)
        await accounts.add(api.app.state.exchange, ADMIN, account, passphrase=PASSPHRASE)


@dataclass
class Browser:
    """One browser: its cookies are its own."""

    http: AsyncClient
    csrf: str = ""

    async def get(self, path: str, **headers: str) -> Response:
        return await self.http.get(path, headers={"Sec-Fetch-Site": "same-origin"} | headers)

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> Response:
        """Send a form as a page of ours does."""
        return await self.http.post(path, data=fields, headers=self._ours() | headers)

    async def send(self, method: str, path: str, **more: Any) -> Response:
        """Call a door as a script of our pages does."""
        headers = self._ours() | {"X-CSRF-Token": self.csrf} | more.pop("headers", {})
        return await self.http.request(method, path, headers=headers, **more)

    async def form(self, path: str = "/sign-in", action: str = "/sign-in") -> dict[str, str]:
        """Read a form off a page, with what its hidden fields hold."""
        tree = html.document_fromstring((await self.get(path)).text)
        (form,) = [one for one in tree.xpath("//form") if one.get("action").partition("?")[0] == action][:1]
        return {field.get("name"): field.get("value", "") for field in form.xpath(".//input")}

    async def sign_in(self, name: str, passphrase: str = PASSPHRASE, onward: str = "") -> Response:
        """Fill the form in and send it; the form token for doors is then at hand."""
        fields = await self.form() | {"name": name, "passphrase": passphrase, "next": onward}
        answer = await self.post("/sign-in", fields)
        if answer.status_code == 303:
            self.csrf = (await self.get("/session")).json()["csrfToken"]
        return answer

    def _ours(self) -> dict[str, str]:
        return {"Origin": str(self.http.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}


async def browser(api: Api, name: str | None = None, url: str = HOME) -> Browser:
    """Open a browser, perhaps with somebody signed in."""
    transport = None if api.served else ASGITransport(api.app)
    opened = Browser(await api.open.enter_async_context(AsyncClient(transport=transport, base_url=url, timeout=30)))
    if name:
        answer = await opened.sign_in(name)
        assert answer.status_code == 303, answer.text
    return opened
