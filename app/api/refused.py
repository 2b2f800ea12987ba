"""How the OpenAPI document describes what a request can be refused with."""

from http import HTTPStatus
from typing import Any

from typing_extensions import TypedDict


class Refusal(TypedDict):
    """Why a request is refused, in one line."""

    detail: str


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The descriptions of these statuses, for a route or a router."""
    return {
        status: {"model": Refusal, "description": HTTPStatus(status).phrase} for status in statuses
    }
