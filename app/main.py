"""The backend as it is served: `uvicorn app.main:app`."""

import sys

from fastapi import FastAPI
from pydantic import ValidationError

from app.application import create_app
from app.config import fault_of


def _served() -> FastAPI:
    """The application; a wrong environment ends the process with one line, without its value."""
    try:
        return create_app()
    except ValidationError as error:
        sys.exit(f"error: {fault_of(error)}")


app = _served()
