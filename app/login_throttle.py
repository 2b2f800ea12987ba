"""How often somebody may guess a password. Only failures count, so that no honest client of a
busy office, and no load test, is ever refused; each process counts for itself."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from pydantic import validate_email

from app.errors import TooManyRequestsError, UnauthorizedError
from app.gate.gate import outside

_PER_ACCOUNT_AND_ADDRESS = parse("10 per 5 minutes")
_PER_ADDRESS = parse("100 per 5 minutes")
_PER_ACCOUNT = parse("100 per hour")
_REGISTRATIONS = parse("20 per hour")

_limiter = MovingWindowRateLimiter(MemoryStorage())
_Rule = tuple[RateLimitItem, tuple[str, ...]]

_under_way: Counter[_Rule] = Counter()
# Set, and replaced, where one has ended.
_ended = asyncio.Event()


@asynccontextmanager
async def attempt(email: str, address: str) -> AsyncIterator[None]:
    """A login. It has failed where the block says so by an UnauthorizedError. Where it succeeds,
    who mistyped before it, or tried on purpose as a verification does with its probe account, is
    not refused for that.

    As many are tried at once as may still fail, so that the bounds hold for guesses that come
    together too; the others wait for these, since they may be honest.

    Raises:
        TooManyRequestsError: too many failures, of this account or from this address.
    """
    rules = _rules(email, address)
    while not _have_room(rules):
        async with outside():
            await _ended.wait()
    _under_way.update(rules)
    try:
        yield
    except UnauthorizedError:
        for item, key in rules:
            _limiter.hit(item, *key)
        raise
    else:
        item, key = rules[0]
        _limiter.clear(item, *key)
    finally:
        _end(rules)


def _have_room(rules: list[_Rule]) -> bool:
    """Whether one more may be tried now. Raises what `attempt` does."""
    for item, key in rules:
        _refuse_unless(_limiter.test(item, *key), item, key)
    return all(_limiter.test(rule[0], *rule[1], cost=1 + _under_way[rule]) for rule in rules)


def _end(rules: list[_Rule]) -> None:
    global _ended
    for rule in rules:
        _under_way[rule] -= 1
        if not _under_way[rule]:
            del _under_way[rule]
    ended, _ended = _ended, asyncio.Event()
    ended.set()


def record_registration(address: str) -> None:
    """Somebody registers.

    Raises:
        TooManyRequestsError: too many registrations from this address.
    """
    key = ("register", address)
    _refuse_unless(_limiter.hit(_REGISTRATIONS, *key), _REGISTRATIONS, key)


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
