"""Whether the demo users, and nobody else, can log in."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from ops.verify.http.exchange import Answer, Exchange, UnansweredError

DEMO_USERS = (
    "demo_individual@sigmasight.com",
    "demo_hnw@sigmasight.com",
    "demo_hedgefundstyle@sigmasight.com",
)
_LOGIN = "/api/v1/auth/login"
_REFUSED = (400, 401, 403, 429)


@dataclass(frozen=True)
class Login:
    """How a user's login went: a token, or the reason why there is none."""

    email: str
    token: str | None = field(repr=False)
    reason: str | None = None


async def log_in(http: Exchange, password: str) -> list[Login]:
    """Log the demo users in."""
    return list(await asyncio.gather(*(_log_in(http, email, password) for email in DEMO_USERS)))


async def login_faults(http: Exchange, logins: Sequence[Login]) -> list[str]:
    """What is wrong with who may come in."""
    # Not always the same user: a backend may count failures and lock an account for a while.
    wrong = _asked(http, DEMO_USERS[int(time.time()) % len(DEMO_USERS)], "not the password")
    nobody = http.get("/api/v1/data/portfolios")
    found, refused, anonymous = await asyncio.gather(
        asyncio.gather(*(_identity(http, login) for login in logins)), wrong, nobody
    )
    admitted = [
        f"{what} is answered with {answer.status}, not refused"
        for answer, what in ((refused, "a wrong password"), (anonymous, "no token"))
        if answer.status not in _REFUSED
    ]
    return [fault for fault in found if fault is not None] + admitted


async def _log_in(http: Exchange, email: str, password: str) -> Login:
    try:
        answer = await _asked(http, email, password)
        if answer.status == 401:
            return Login(email, None, "the password is refused; set DEMO_PASSWORD to theirs")
        token = answer.field("access_token", str)
        return Login(email, token) if token else Login(email, None, "the token is empty")
    except UnansweredError as error:
        return Login(email, None, str(error))


async def _asked(http: Exchange, email: str, password: str) -> Answer:
    return await http.ask("POST", _LOGIN, json={"email": email, "password": password})


async def _identity(http: Exchange, login: Login) -> str | None:
    """Why a user is not logged in as himself, if so."""
    if login.token is None:
        return f"{login.email}: {login.reason}"
    try:
        found = (await http.get("/api/v1/auth/me", login.token)).field("email", str)
    except UnansweredError as error:
        return str(error)
    return None if found == login.email else f"the token of {login.email} is another user's"
