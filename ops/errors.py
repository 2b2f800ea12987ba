"""What can go wrong, as one small tree.

SigmaSightError
├── ConfigurationError        a setting, an address or a password is wrong
├── BadInputError             an argument or a file cannot be used
├── DatabaseUnavailableError  a server does not answer, or went away (worth a retry)
├── WrongDatabaseError        the database is not the one the phase needs
├── BusyError                 another run works on the same database
├── FencedOutError            a newer run has taken over
├── RefusedError              a condition of a step does not hold; nothing was changed
└── VerificationError         what was built is not what the rules demand

Every message is one line, says what to do, and holds no secret.
"""

from collections.abc import Mapping
from typing import Any


class SigmaSightError(Exception):
    """Anything that ends a phase for a reason that its user can act on.

    Attributes:
        document: what was found until then, for programs.
    """

    def __init__(self, *told: object, document: Mapping[str, Any] | None = None) -> None:
        super().__init__(*told)
        self.document = document or {}


class ConfigurationError(SigmaSightError):
    """A setting, an address or a password is wrong."""


class BadInputError(SigmaSightError):
    """An argument or a file cannot be used."""


class DatabaseUnavailableError(SigmaSightError):
    """A server does not answer, or went away. The one error that is worth a retry."""


class WrongDatabaseError(SigmaSightError):
    """The database is not the one that the phase needs."""


class BusyError(SigmaSightError):
    """Another run works on the same database."""


class FencedOutError(SigmaSightError):
    """A newer run has taken over; this one must not write any more."""


class RefusedError(SigmaSightError):
    """A condition of a destructive or decisive step does not hold. Nothing was changed."""


class VerificationError(SigmaSightError):
    """What was built is not what the rules demand."""
