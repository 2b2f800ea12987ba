"""How much price history the holdings have, on one rule for every endpoint that judges it.

A history is complete when the symbol has 150 usable closes within the year that ends with the
book's newest day, and did not stop more than ten days before it. Private assets and options
without a price have none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from app.calculations.equity import PRIOR_CLOSE_MAX_AGE_DAYS
from app.calculations.volatility_series import VOLATILITY_WINDOW_DAYS
from app.holdings import Holding
from app.sql_files import statement

COMPLETE_CLOSES = 150
HISTORY_SPAN_DAYS = VOLATILITY_WINDOW_DAYS
_OLDEST_MARK = timedelta(days=PRIOR_CLOSE_MAX_AGE_DAYS)


@dataclass(frozen=True, slots=True)
class PriceHistory:
    """Usable closes of a symbol within the span; `current` unless they stopped."""

    closes: int
    current: bool

    @property
    def complete(self) -> bool:
        """Whether every calculation has enough."""
        return self.current and self.closes >= COMPLETE_CLOSES


NO_HISTORY = PriceHistory(0, False)


def newest_day(holdings: Iterable[Holding]) -> date | None:
    """The newest day on which any of the holdings was priced."""
    return max((h.price_date for h in holdings if h.price_date is not None), default=None)


async def complete_symbols(
    session: AsyncSession, holdings: Sequence[Holding], day: date | None
) -> frozenset[str]:
    """The symbols of holdings whose history is complete on `day`."""
    if day is None:
        return frozenset()
    current = {
        h.symbol for h in holdings if h.price_date is not None and _is_current(h.price_date, day)
    }
    rows = await session.execute(
        statement("data/deep_histories"),
        {
            "symbols": list(current),
            "day": day,
            "span": HISTORY_SPAN_DAYS,
            "closes": COMPLETE_CLOSES,
        },
    )
    return frozenset(rows.scalars())


async def price_histories(
    session: AsyncSession, symbols: Iterable[str], day: date
) -> Mapping[str, PriceHistory]:
    """The histories of symbols as of `day`; symbols without any close in the span are absent."""
    rows = await session.execute(
        statement("data/history_counts"),
        {"symbols": sorted(set(symbols)), "day": day, "span": HISTORY_SPAN_DAYS},
    )
    return {r.symbol: PriceHistory(r.closes, _is_current(r.newest, day)) for r in rows}


def _is_current(newest: date, day: date) -> bool:
    return day - newest <= _OLDEST_MARK
