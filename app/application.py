"""The application: routers, middleware, and what happens at start and end."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from app.agent import running
from app.agent.embeddings import EmbeddingError
from app.agent.services.feedback_learning import finish_learning
from app.agent.services.rag_service import seed_knowledge_base
from app.api import health, reference
from app.api.routes import api
from app.body_limit import BodyLimit
from app.config import get_settings
from app.database import close_connections, get_ai_session, get_core_session, size_pools
from app.gate.gate import Gate
from app.gate.middleware import GateMiddleware
from app.gate.replica import following
from app.readiness import prerequisites
from app.refusals import answer_refusals
from app.request_log import RequestLog, configure_logging

_log = logging.getLogger("sigmasight.start")


class StartRefusedError(RuntimeError):
    """The backend must not serve as things stand. The message is one line."""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    gate: Gate | None = app.state.gate
    await size_pools()
    if gate is not None:
        async with following(gate, has_old=get_settings().LEGACY_DATABASE_URL is not None):
            yield
            await _end()
        return
    await _refuse_incomplete_production()
    # Nothing of ours is written to the old database, which keeps the documents that it has.
    if get_settings().ACTIVE_PAIR != "old":
        # Beside the requests: an endpoint that embeds slowly, or not at all, must not delay them.
        running.start(_seed_knowledge_base())
    yield
    await _end()


async def _end() -> None:
    await running.stop_all()
    await finish_learning()
    await close_connections()


async def _refuse_incomplete_production() -> None:
    settings = get_settings()
    if settings.ENVIRONMENT != "production" or settings.SKIP_STARTUP_VALIDATION:
        return
    async with get_core_session() as session:
        found = await prerequisites(session)
    if found["overall_status"] != "ok":
        raise StartRefusedError(
            f"{found['factors']['current']} factor definitions and "
            f"{found['scenarios']['current']} stress scenarios are too few; run `sigmasight seed`, "
            "or set SKIP_STARTUP_VALIDATION=true"
        )


async def _seed_knowledge_base() -> None:
    """The chat answers without documents too, so a failure here is only logged."""
    try:
        async with get_ai_session() as ai:
            written = await seed_knowledge_base(ai)
    except (SQLAlchemyError, EmbeddingError) as error:
        _log.warning("knowledge base not seeded", extra={"error": type(error).__name__})
    else:
        _log.info("knowledge base", extra={"written": written})


class _Backend(FastAPI):
    """An application each of whose responses is logged and named, those to its own faults too."""

    def build_middleware_stack(self) -> ASGIApp:
        application, gate, pair = super().build_middleware_stack(), self.state.gate, None
        if gate is not None:
            application = GateMiddleware(application, gate)
        else:
            pair = get_settings().ACTIVE_PAIR
        return RequestLog(application, pair)


def create_app() -> FastAPI:
    """The application, configured by the environment."""
    settings = get_settings()
    configure_logging(settings.LOG_LEVEL)
    app = _Backend(
        title="SigmaSight",
        version=version("sigmasight"),
        lifespan=_lifespan,
        docs_url=None,  # FastAPI's own page is a script from elsewhere
        redoc_url=None,
    )
    app.state.gate = Gate() if settings.ACTIVE_PAIR == "gate" else None
    app.include_router(health.router)
    app.include_router(reference.router)
    app.include_router(api)
    answer_refusals(app)
    app.add_middleware(BodyLimit)
    if settings.ALLOWED_ORIGINS:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.ALLOWED_ORIGINS,
            allow_credentials=True,
            allow_methods=["*"],
            allow_headers=["*"],
        )
    return app
