"""All doors of people: where they sign in, who they are, and their accounts."""

from __future__ import annotations

from fastapi import APIRouter

from messaging.api import accounts, provider_page, session, sign_in_page

router = APIRouter()
for module in (session, accounts, sign_in_page, provider_page):
    router.include_router(module.router)
