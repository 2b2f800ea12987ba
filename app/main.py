"""The backend as it is served: `uvicorn app.main:app`."""

import sys

from fastapi import FastAPI
from pydantic import ValidationError

from app.application import create_app


def _served() -> FastAPI:
    """The application; a wrong environment ends the process with one line, without its value."""
    try:
        return create_app()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        line = ": ".join([*map(str, first["loc"]), first["msg"].removeprefix("Value error, ")])
        sys.exit(f"error: {line}")


app = _served()
