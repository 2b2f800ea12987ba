"""What a backend is asked before requests are let in, and after."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx

from app.data.portfolios import ListedPortfolio
from app.gate.middleware import public_part
from ops.books.active_pair import Pair
from ops.cutover.installation import Installation
from ops.errors import RefusedError
from ops.http_answer import PAIR_HEADER
from ops.plan_figures import LAST_DAY
from ops.probe_accounts import ProbeAccounts, probe_accounts
from ops.verify.http.checks import checks_of
from ops.verify.http.exchange import Exchange, HttpTarget, UnansweredError
from ops.verify.http.portfolios import COMPLETE, LIST
from ops.verify.http.visit import Visit
from ops.verify.report import CheckResult
from ops.verify.run import answer
from ops.verify.subject import Subject

_ALWAYS = ("backend alive", "probe logins")
_COMPLETE = ("portfolios complete",)
_SECONDS = 10.0


def ask_staged(installation: Installation, address: str, pair: Pair) -> None:
    """Ask a backend that no user reaches yet: health, logins, every portfolio, and of the new pair
    a chat, whose traces are removed. The old one's database is locked, and a chat writes.

    Raises:
        RefusedError: an answer is wrong.
    """
    _ask(installation, address, pair, ("chat",) if pair == "new" else ())


def ask_public(installation: Installation, pair: Pair) -> None:
    """Ask where users do, once requests are let in again. Raises what `ask_staged` raises."""
    _ask(installation, installation.switch.public_address(), pair)


def _ask(installation: Installation, address: str, pair: Pair, more: tuple[str, ...] = ()) -> None:
    _check_pair(address, pair)
    # Whom it lets in was verified; a cutover that tried it each time would be locked out itself.
    visit = Visit(HttpTarget(address, _probes(installation, pair), intrusion=False))
    # The new pair's portfolios are reconciled with its database; the old one's batch was another's.
    names = (*_ALWAYS, *_COMPLETE, *more) if pair == "new" else _ALWAYS
    for check in checks_of(visit):
        if check.name in names:
            _require(answer(_subject(installation, pair), check), pair)
    if pair == "old":
        tokens = visit.tokens()
        with _refused(pair):
            visit.ask(lambda http: _look_at_portfolios(http, tokens))


def _probes(installation: Installation, pair: Pair) -> ProbeAccounts:
    """Whom to log in as at a backend of `pair`. Of the databases only that pair's is asked, since
    the other may be lost."""
    database = installation.core if pair == "new" else installation.legacy
    found = probe_accounts(installation.settings, installation.legacy, database)
    if not found.accounts:
        raise RefusedError(found.reason)
    return found


def _require(found: CheckResult, pair: Pair) -> None:
    if found.outcome != "pass":
        raise RefusedError(f"the backend of the {pair} pair: {found.name}: {found.detail}")


@contextmanager
def _refused(pair: Pair) -> Iterator[None]:
    try:
        yield
    except UnansweredError as error:
        raise RefusedError(f"the backend of the {pair} pair: {error}") from None


async def _look_at_portfolios(http: Exchange, tokens: Mapping[str, str]) -> None:
    """Each portfolio of each user is shown, whatever its figures."""
    for token in tokens.values():
        listed = (await http.get(LIST, token)).read(list[ListedPortfolio])
        paths = [COMPLETE.format(each["id"]) for each in listed]
        for found in await asyncio.gather(*(http.get(path, token) for path in paths)):
            found.expect(200)


def _subject(installation: Installation, pair: Pair) -> Subject:
    core, ai = (
        (installation.core, installation.ai)
        if pair == "new"
        else (installation.legacy, installation.legacy)
    )
    return Subject(core, ai, None, LAST_DAY, LAST_DAY)


def names(installation: Installation, pair: Pair) -> bool:
    """Whether the public address answers from a pair."""
    return _named_pair(installation.switch.public_address(), pair) == pair


def _check_pair(address: str, pair: Pair) -> None:
    named = _named_pair(address, pair)
    if named != pair:
        raise RefusedError(
            f"{public_part(address)} serves from the {named or 'unnamed'} pair, not the {pair}"
        )


def _named_pair(address: str, wanted: Pair) -> str | None:
    try:
        encrypted = not address.startswith("http:")
        found = httpx.get(f"{address}/health", timeout=_SECONDS, trust_env=False, verify=encrypted)
    except httpx.HTTPError as error:
        raise RefusedError(
            f"no backend of the {wanted} pair answers at {public_part(address)} "
            f"({type(error).__name__})"
        ) from None
    named: str | None = found.headers.get(PAIR_HEADER)
    return named
