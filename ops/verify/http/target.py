"""Which backend is asked, and how long it may take."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Patience:
    """The bounds of one visit: seconds, and bytes of an answer."""

    connect: float = 5.0
    answer: float = 20.0
    stream: float = 120.0
    check: float = 150.0
    size: int = 16 * 2**20


@dataclass(frozen=True)
class HttpTarget:
    """A backend.

    Attributes:
        url: the base of its addresses, without a slash at its end.
        password: what the demo users log in with.
        log: a file that it writes its log to, where that can be read from here.
    """

    url: str
    password: str = field(repr=False)
    log: Path | None = None
    patience: Patience = Patience()
