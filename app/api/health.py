"""Whether the backend lives, and whether it can serve."""

from fastapi import APIRouter, Request, Response
from sqlalchemy.exc import SQLAlchemyError
from typing_extensions import TypedDict

from app.database import get_core_session
from app.json_response import JsonResponse
from app.readiness import Prerequisites, Readiness, prerequisites, readiness

router = APIRouter(tags=["health"])


class Identity(TypedDict):
    """What answers here."""

    message: str
    version: str


class Health(TypedDict):
    """The process lives."""

    status: str


@router.get("/", response_model=Identity)
async def root(request: Request) -> Response:
    """What answers here."""
    return JsonResponse({"message": request.app.title, "version": request.app.version})


@router.get("/health", response_model=Health)
async def health() -> Response:
    """Alive; says nothing of the databases."""
    return JsonResponse({"status": "healthy"})


@router.get("/ready", response_model=Readiness, responses={503: {"model": Readiness}})
async def ready() -> Response:
    """Whether both databases answer at their chains' heads, and the state of the pools."""
    state = await readiness()
    return JsonResponse(state, status_code=200 if state["status"] == "ready" else 503)


@router.get("/health/prerequisites", response_model=Prerequisites)
async def health_prerequisites() -> Response:
    """Whether factor definitions and stress scenarios are there."""
    try:
        async with get_core_session() as session:
            return JsonResponse(await prerequisites(session))
    except SQLAlchemyError:
        nothing = {"current": 0, "required": 0, "status": "incomplete"}
        return JsonResponse({"factors": nothing, "scenarios": nothing, "overall_status": "error"})
