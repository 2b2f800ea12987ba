"""What a request can be refused for, as one small tree. Services raise these; the API turns each
into its status, the chat's tools into an error that the model can read.

RequestRefusedError
├── BadRequestError      400  the request cannot be carried out as it stands
├── UnauthorizedError    401  nobody is logged in
├── AdminOnlyError       403  the action needs an administrator
├── NotFoundError        404  there is no such thing, or it is somebody else's
├── ConflictError        409  what is asked for clashes with what is there
├── TooManyRequestsError 429  asked too often; `retry_after` says when to come back
└── UnavailableError     503  a part that the request needs does not answer
"""

from typing import ClassVar


class RequestRefusedError(Exception):
    """A request ends here; the message is one line for its sender, without any secret."""

    status: ClassVar[int] = 400

    @property
    def headers(self) -> dict[str, str]:
        """What the response carries beside the message."""
        return {}


class BadRequestError(RequestRefusedError):
    """The request cannot be carried out as it stands."""


class UnauthorizedError(RequestRefusedError):
    """Nobody is logged in, or the token is not good any more."""

    status = 401

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"}


class AdminOnlyError(RequestRefusedError):
    """The action needs an administrator."""

    status = 403


class NotFoundError(RequestRefusedError):
    """There is no such thing, or it is somebody else's: which of the two is nobody's business."""

    status = 404


class ConflictError(RequestRefusedError):
    """What is asked for clashes with what is there."""

    status = 409


class TooManyRequestsError(RequestRefusedError):
    """Asked too often."""

    status = 429

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after)}


class UnavailableError(RequestRefusedError):
    """A part that the request needs does not answer."""

    status = 503
