"""What a nightly backfill has to do: the sessions that have ended and whose prices are there."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.engine import URL

from app.calculations.factors import MARKET_ETF
from ops.connection import first_value, session_at
from ops.errors import BadInputError, VerificationError
from ops.sql_files import statement
from ops.trading_calendar import last_finished_session, trading_days

# The first evening prices may be late, the second somebody may be at it; then it is a fault.
SESSIONS_WITHOUT_PRICES = 3


@dataclass(frozen=True)
class Night:
    """How far the book can be computed tonight.

    Attributes:
        session: the last session that has ended.
        priced: the last session, not after it, whose prices are there.
    """

    session: date
    priced: date

    @property
    def nothing_new(self) -> str:
        """Why there was nothing to compute."""
        if self.priced == self.session:
            return f"every session up to {self.session}, the last one, is computed"
        return f"no new prices yet: the last ones are of {self.priced}"


def tonight(core: URL, now: datetime) -> Night:
    """How far the prices in Core reach, beside the calendar of the NYSE.

    Raises:
        VerificationError: the last sessions ended without new prices.
        BadInputError: there are no prices at all.
    """
    session = last_finished_session(now)
    priced = _last_priced(core, session)
    if priced is None:
        raise BadInputError("there are no prices in Core; run `sigmasight copy` first")
    behind = trading_days(priced, session)[1:]
    if len(behind) >= SESSIONS_WITHOUT_PRICES:
        raise VerificationError(
            f"{len(behind)} sessions ended without new prices, {behind[0]} to {session}; say by "
            "PRICES_FOLDER or PRICES_FROM whence they come, then start this again"
        )
    return Night(session, priced)


def _last_priced(core: URL, session: date) -> date | None:
    asked = {"session": session, "market_etf": MARKET_ETF}
    with session_at(core, "nightly") as connection:
        newest: date | None = first_value(connection, statement("nightly_prices"), asked)
    return newest
