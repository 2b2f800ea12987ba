"""Why a question over HTTP has no good answer."""

from ops.errors import SigmaSightError


class NoAnswerError(SigmaSightError):
    """Nothing usable came: refused, broken off, too slow, too large, redirected."""


class AbsentError(SigmaSightError):
    """The backend has no such endpoint."""


class UnusableAnswerError(SigmaSightError):
    """What came is not what the contract says."""


class NobodyLoggedInError(SigmaSightError):
    """The question needs a user, and none could log in."""


class UnreachableError(SigmaSightError):
    """No backend answers at all; the first check says so, the others need not."""
