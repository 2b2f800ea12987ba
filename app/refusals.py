"""How what goes wrong is answered: one line of JSON, no trace, no secret."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.database import first_line
from app.errors import RequestRefusedError
from app.gate.serving_pair import serving_pair
from app.json_response import JsonResponse

_log = logging.getLogger("sigmasight.errors")

# What a swap's lock answers to a backend that has not heard of it yet: its own refusal, and that
# of privileges which were taken away.
_LOCKED = ("SGW01", "42501")
# A character that the encoding of the database lacks. 22021 is told of what a database holds.
_UNSTORABLE = "22P05"


def answer_refusals(app: FastAPI) -> None:
    """Register what turns exceptions into responses."""
    app.add_exception_handler(RequestRefusedError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    for kind in (OperationalError, InterfaceError, PoolTimeoutError):
        app.add_exception_handler(kind, _database_away)
    app.add_exception_handler(DBAPIError, _database_error)
    app.add_exception_handler(Exception, _unforeseen)


async def _refused(_: Request, error: Any) -> JsonResponse:
    return JsonResponse({"detail": str(error)}, status_code=error.status, headers=error.headers)


async def _invalid(_: Request, error: Any) -> JsonResponse:
    """What is wrong and where, without what was sent: it may be a password."""
    found = [{"type": e["type"], "loc": list(e["loc"]), "msg": e["msg"]} for e in error.errors()]
    return JsonResponse({"detail": found}, status_code=422)


async def _database_away(_: Request, error: Exception) -> JsonResponse:
    _log.error("database error", extra={"error": first_line(error)})
    return JsonResponse(
        {"detail": "The database does not answer; try again"},
        status_code=503,
        headers={"Retry-After": "2"},
    )


async def _database_error(request: Request, error: Exception) -> JsonResponse:
    if _sqlstate(error) == _UNSTORABLE:
        said = "must not contain characters that the encoding of the database lacks"
        found = {"type": "value_error", "loc": ["request"], "msg": f"Value error, {said}"}
        return JsonResponse({"detail": [found]}, status_code=422)
    if serving_pair.get() == "old" and _sqlstate(error) in _LOCKED:
        return await _database_away(request, error)
    _log.error("database error", extra={"error": first_line(error)})
    return JsonResponse({"detail": "Internal server error"}, status_code=500)


async def _unforeseen(_: Request, error: Exception) -> JsonResponse:
    # The server logs the trace itself.
    return JsonResponse({"detail": "Internal server error"}, status_code=500)


def _sqlstate(error: Exception) -> str | None:
    return getattr(getattr(error, "orig", None), "sqlstate", None)
