"""The last few closes of symbols."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from app.sql_files import statement


@dataclass(frozen=True, slots=True)
class DailyPrice:
    """A day of a symbol on which it had a usable close."""

    date: date
    close: float
    high: float
    low: float
    volume: int


async def recent_closes(
    session: AsyncSession, symbols: Iterable[str], count: int
) -> dict[str, list[DailyPrice]]:
    """Symbol -> its last `count` days, newest first; symbols without any are absent."""
    wanted = {"symbols": sorted(set(symbols)), "count": count}
    found: dict[str, list[DailyPrice]] = {}
    for symbol, *day in await session.execute(statement("data/recent_closes"), wanted):
        found.setdefault(symbol, []).append(DailyPrice(*day))
    return found
