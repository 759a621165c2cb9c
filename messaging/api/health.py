"""Whether the exchange lives, and whether it could take a message in."""

from __future__ import annotations

from fastapi import APIRouter

from messaging.api import problems
from messaging.api.door import Here
from messaging.api.shapes import Health
from messaging.flow import inspect

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> Health:
    """Tell that the process answers."""
    return Health()


@router.get("/ready", responses=problems.documented((500, 503)))
async def ready(exchange: Here) -> Health:
    """Tell that the database answers and that there is room."""
    await inspect.ready(exchange)
    return Health()
