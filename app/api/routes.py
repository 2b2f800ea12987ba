"""Every router, under the prefix that clients know."""

from fastapi import APIRouter

from app.api import (
    admin,
    aggregate,
    analytics,
    auth,
    calculations,
    chat,
    data,
    feedback,
    memories,
    portfolios,
)
from app.api.refused import refusals

_ROUTERS = (
    auth,
    portfolios,
    data,
    aggregate,
    analytics,
    calculations,
    chat,
    memories,
    feedback,
    admin,
)

api = APIRouter(prefix="/api/v1", responses=refusals(400, 401, 404))
for module in _ROUTERS:
    api.include_router(module.router)
