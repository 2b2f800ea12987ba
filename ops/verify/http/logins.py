"""Whether the probe accounts, and nobody else, can log in."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from ops.probe_accounts import ProbeAccount, ProbeAccounts
from ops.verify.http.exchange import Answer, Exchange, UnansweredError

_LOGIN = "/api/v1/auth/login"
_ME = "/api/v1/auth/me"
_REFUSED = (400, 401, 403, 429)


@dataclass(frozen=True)
class Login:
    """How a user's login went: a token, or the reason why there is none."""

    email: str
    token: str | None = field(repr=False)
    reason: str | None = None


async def log_in(http: Exchange, probes: ProbeAccounts) -> list[Login]:
    """Log the probe accounts in; those without a password have their tokens already."""
    return list(
        await asyncio.gather(
            *(_log_in(http, account, probes.setting) for account in probes.accounts)
        )
    )


async def login_faults(http: Exchange, logins: Sequence[Login]) -> list[str]:
    """Who is not logged in as himself."""
    found = await asyncio.gather(*(_identity(http, login) for login in logins))
    return [fault for fault in found if fault is not None]


async def intrusion_faults(
    http: Exchange, probes: ProbeAccounts, logins: Sequence[Login]
) -> list[str]:
    """Who comes in without the right to."""
    refused, anonymous = await asyncio.gather(
        _intruder(http, probes, logins), http.get("/api/v1/data/portfolios")
    )
    return [
        f"{what} is answered with {answer.status}, not refused"
        for answer, what in ((refused, "a wrong password or token"), (anonymous, "no token"))
        if answer.status not in _REFUSED
    ]


async def _intruder(http: Exchange, probes: ProbeAccounts, logins: Sequence[Login]) -> Answer:
    """Somebody with a wrong password; where no account has one, with a token that nobody signed."""
    known = [account.email for account in probes.accounts if account.password is not None]
    if known:
        # Not always the same user: a backend may count failures and lock an account for a while.
        return await _asked(http, known[int(time.time()) % len(known)], "not the password")
    claims, _, signature = (logins[0].token or "no.to.ken").rpartition(".")
    return await http.get(_ME, f"{claims}.{signature[::-1]}")


async def _log_in(http: Exchange, account: ProbeAccount, setting: str) -> Login:
    email = account.email
    if account.password is None:
        reason = None if account.token else "the database has no user of this address"
        return Login(email, account.token, reason)
    try:
        answer = await _asked(http, email, account.password)
        if answer.status == 401:
            return Login(email, None, f"the password is refused; set {setting} to theirs")
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
        found = (await http.get(_ME, login.token)).field("email", str)
    except UnansweredError as error:
        return f"{login.email}: {error}"
    same = found.lower() == login.email.lower()
    return None if same else f"the token of {login.email} is another user's"
