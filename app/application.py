"""The application: routers, middleware, and what happens at start and end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from app.api import health
from app.api.routes import api
from app.body_limit import BodyLimit
from app.config import get_settings
from app.database import ai_engine, core_engine
from app.refusals import answer_refusals
from app.request_log import RequestLog, configure_logging


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield
    await core_engine().dispose()
    await ai_engine().dispose()


def create_app() -> FastAPI:
    """The application, configured by the environment."""
    settings = get_settings()
    configure_logging(settings.LOG_LEVEL)
    app = FastAPI(title="SigmaSight", version=version("sigmasight"), lifespan=_lifespan)
    app.include_router(health.router)
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
    app.add_middleware(RequestLog)
    return app
