"""Whether the exchange lives, and whether it could take a message in."""

from __future__ import annotations

from fastapi import APIRouter

from messaging.api import problems
from messaging.api.door import Here
from messaging.api.shapes import Health
from messaging.flow.ready import require_ready

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> Health:
    """Tell that the process answers."""
    return Health()


@router.get("/ready", responses=problems.documented((500, 503)))
async def ready(exchange: Here) -> Health:
    """Tell that the database answers, that there is room, and that the process is not stopping; or what is missing."""
    await require_ready(exchange)
    return Health()
