"""How often somebody may guess a password. Only failures count, so that no honest client of a
busy office, and no load test, is ever refused; each process counts for itself."""

import math
import time

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from pydantic import validate_email

from app.errors import TooManyRequestsError

_PER_ACCOUNT_AND_ADDRESS = parse("10 per 5 minutes")
_PER_ADDRESS = parse("100 per 5 minutes")
_PER_ACCOUNT = parse("100 per hour")
_REGISTRATIONS = parse("20 per hour")

_storage = MemoryStorage()
_limiter = MovingWindowRateLimiter(_storage)
_Rule = tuple[RateLimitItem, tuple[str, ...]]


def refuse_guessing(email: str, address: str) -> None:
    """Refuse a login before any work is done for it.

    Raises:
        TooManyRequestsError: too many failures, of this account or from this address.
    """
    for item, key in _rules(email, address):
        _refuse_unless(_limiter.test(item, *key), item, key)


def record_failure(email: str, address: str) -> None:
    """A login failed."""
    for item, key in _rules(email, address):
        _limiter.hit(item, *key)


def record_login(email: str, address: str) -> None:
    """A login succeeded: who mistyped before it, or tried on purpose as a verification does with
    its probe account, is not refused for that."""
    item, key = _rules(email, address)[0]
    _limiter.clear(item, *key)


def record_registration(address: str) -> None:
    """Somebody registers.

    Raises:
        TooManyRequestsError: too many registrations from this address.
    """
    key = ("register", address)
    _refuse_unless(_limiter.hit(_REGISTRATIONS, *key), _REGISTRATIONS, key)


def forget_all() -> None:
    """Start counting anew."""
    _storage.reset()


def _rules(email: str, address: str) -> list[_Rule]:
    account = validate_email(email)[1].lower()
    return [
        (_PER_ACCOUNT_AND_ADDRESS, ("login", account, address)),
        (_PER_ADDRESS, ("login from", address)),
        (_PER_ACCOUNT, ("login to", account)),
    ]


def _refuse_unless(allowed: bool, item: RateLimitItem, key: tuple[str, ...]) -> None:
    if allowed:
        return
    seconds = max(1, math.ceil(_limiter.get_window_stats(item, *key).reset_time - time.time()))
    raise TooManyRequestsError(f"Too many attempts; try again in {seconds} seconds", seconds)
