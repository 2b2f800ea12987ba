"""One JSON line per request, and one request id through everything that it causes."""

import logging
import re
import time
from contextvars import ContextVar
from logging.config import dictConfig
from typing import Any
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.gate.middleware import without_word
from app.gate.serving_pair import serving_pair

REQUEST_ID_HEADER = b"x-request-id"
PAIR_HEADER = b"x-sigmasight-pair"
request_id: ContextVar[str] = ContextVar("request_id", default="-")

_log = logging.getLogger("sigmasight.requests")
_ACCEPTABLE_ID = re.compile(r"[\w.:-]{1,64}")


class RequestLog:
    """Give each request an id (its own `X-Request-ID` where it is sane) and log its end.

    Args:
        pair: the databases that answer, named in each response where they are known by name; the
            gate, where there is one, knows it of each.
    """

    def __init__(self, app: ASGIApp, pair: str | None = None) -> None:
        self.app = app
        self._pair = pair

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        token = request_id.set(_id_of(scope))
        path = without_word(scope["path"])
        facts: dict[str, Any] = {"method": scope["method"], "path": path, "status": 500}

        async def answering(message: Message) -> None:
            if message["type"] == "http.response.start":
                facts["status"] = message["status"]
                header = (REQUEST_ID_HEADER, request_id.get().encode())
                message["headers"] = [*message.get("headers", []), header, *self._named()]
            await send(message)

        started = time.perf_counter()
        try:
            await self.app(scope, receive, answering)
        finally:
            facts["ms"] = round((time.perf_counter() - started) * 1000, 1)
            _log.info("request", extra=facts)
            request_id.reset(token)

    def _named(self) -> list[tuple[bytes, bytes]]:
        pair = serving_pair.get() or self._pair
        return [(PAIR_HEADER, pair.encode())] if pair else []


def _id_of(scope: Scope) -> str:
    given = dict(scope["headers"]).get(REQUEST_ID_HEADER, b"").decode("latin-1")
    return given if _ACCEPTABLE_ID.fullmatch(given) else uuid4().hex


class _RequestId(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


def configure_logging(level: str) -> None:
    """Log JSON lines to stderr. uvicorn's own access lines are ours already."""
    dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"request_id": {"()": _RequestId}},
            "formatters": {
                "json": {
                    "()": "pythonjsonlogger.json.JsonFormatter",
                    "fmt": "%(asctime)s %(levelname)s %(name)s %(request_id)s %(message)s",
                    "rename_fields": {
                        "asctime": "time",
                        "levelname": "level",
                        "name": "logger",
                    },
                }
            },
            "handlers": {
                "stderr": {
                    "class": "logging.StreamHandler",
                    "formatter": "json",
                    "filters": ["request_id"],
                }
            },
            "root": {"handlers": ["stderr"], "level": "WARNING"},
            "loggers": {
                "sigmasight": {"level": level},
                "uvicorn": {"handlers": [], "level": "INFO", "propagate": True},
                "uvicorn.access": {"handlers": [], "level": "WARNING", "propagate": False},
            },
        }
    )
