"""Walking the console in a real Chromium: a stage on which all has happened, people who sign in, pictures."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.async_playwright import Axe
from browsers import ADMIN, PASSPHRASE, employ
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright
from walk.stage import GIVE_UP_AFTER, GP, play

from adapters.memory import KIND
from doors import Api, application, forget, serving
from messaging.flow import accounts
from messaging.model.access import Role
from messaging.model.account import Account
from messaging.registry import Registry
from messaging.settings import RouteSetting, Settings
from world import SetClock, world

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ROOT = Path(__file__).parents[2]
PICTURES = Path(os.environ.get("WALK_PICTURES") or ROOT / "pictures")
WIDE, NARROW = 1280, 390
WARD, CLINIC = 8100001, 8100003
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


def chromium() -> str | None:
    """Find any Chromium on this machine."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@dataclass
class Walk:
    """A served console, a browser, and what went wrong in its pages."""

    api: Api
    url: str
    browser: Browser
    ids: dict[str, str]
    wrong: list[str] = field(default_factory=list)
    """What pages said on their console, tried to run, or asked for elsewhere; nothing is what one wants to see."""
    asked: set[tuple[str, str]] = field(default_factory=set)
    """Method and path of every request."""
    _states: dict[str, Any] = field(default_factory=dict)

    @asynccontextmanager
    async def of(
        self, name: str | None, *, width: int = WIDE, scheme: str = "light", scripts: bool = True
    ) -> AsyncIterator[Page]:
        """Open a page as one of the people, signed in by the form, or as somebody who is not."""
        state = None if name is None else await self._signed_in(name)
        context = await self.browser.new_context(
            base_url=self.url,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=scripts,
            storage_state=state,
            locale="nb-NO",
        )
        context.set_default_timeout(15_000)
        try:
            yield await self._watched(context)
        finally:
            await context.close()

    async def _signed_in(self, name: str) -> Any:
        if name not in self._states:
            context = await self.browser.new_context(base_url=self.url, locale="nb-NO")
            page = await self._watched(context)
            await sign_in(page, name)
            self._states[name] = await context.storage_state()
            await context.close()
        return self._states[name]

    async def _watched(self, context: BrowserContext) -> Page:
        page = await context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.wrong.append(f"{page.url}: {error}"))
        page.on("dialog", lambda dialog: self.wrong.append(f"{page.url}: a dialog, {dialog.message}"))
        page.on("request", self._seen)
        return page

    def _heard(self, said: ConsoleMessage) -> None:
        refused = "the server responded with a status of 4" in said.text  # the walk asks for some on purpose
        if said.type in ("error", "warning") and not refused:
            self.wrong.append(f"{said.location.get('url', '')}: {said.text}")

    def _seen(self, request: Request) -> None:
        self.asked.add((request.method, urlsplit(request.url).path))
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.wrong.append(f"{request.url} is elsewhere")


async def sign_in(page: Page, name: str) -> None:
    """Fill the form in as a person does."""
    await page.goto("/sign-in?next=/console")
    await page.fill("input[name=name]", name)
    await page.fill("input[name=passphrase]", PASSPHRASE)
    await page.click("form[action^='/sign-in'] button[type=submit]")
    await page.wait_for_url("**/console")


async def faults_of(page: Page) -> list[str]:
    """Ask axe-core what of a page a person cannot use: what it calls serious or critical (WCAG 2.2 A and AA)."""
    found = await Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
    return [
        f"{urlsplit(page.url).path}: {one['id']} at {[node['target'] for node in one['nodes']][:3]}"
        for one in found.response["violations"]
        if one["impact"] in ("serious", "critical")
    ]


async def picture(page: Page, name: str) -> None:
    """Keep a picture of the whole page; the browser makes the folder."""
    await page.screenshot(path=PICTURES / f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.png", full_page=True)


@asynccontextmanager
async def walk(settings: Settings, path_to_chromium: str) -> AsyncIterator[Walk]:
    """Serve an exchange on which all has happened, and open a browser."""
    routed = {
        "adapters": {"far": {"kind": "memory", "her_ids": [GP]}},
        "routes": (RouteSetting(her_id=GP, to="far"),),
        "heartbeat_seconds": 0.2,
        "retry_give_up_after": GIVE_UP_AFTER,
        "trial_sender_her_id": WARD,
    }
    clock = SetClock()
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(
            world(settings.model_copy(update=routed), clock, registry=Registry.of(KIND))
        )
        app = application(opened)
        stack.callback(forget, app)
        api = Api(opened, app, stack)
        await employ(api)
        sara = Account("sara", "Sara", Role.PARTY, frozenset({WARD, CLINIC}))
        await accounts.add(app.state.exchange, ADMIN, sara, passphrase=PASSPHRASE)
        ids = await play(api)
        _, url = await stack.enter_async_context(serving(app, app.state.exchange))
        driver = await stack.enter_async_context(async_playwright())
        browser = await driver.chromium.launch(executable_path=path_to_chromium, args=list(QUIET))
        yield Walk(api, url, browser, ids)
        await browser.close()
