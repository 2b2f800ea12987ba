"""Which symbols of a portfolio are correlated on a day, by the rule of common dates, written a
second time: with sets of dates as bits of a number, and nothing of the batch's code."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import pairwise
from math import log

_WINDOW = timedelta(days=90)
_FEWEST_RETURNS = 30
# Returns that differ by less are the same but for their last digits.
_ALIKE = 1e-9


class CommonDates:
    """The closes of some symbols. A session is the bit of its number."""

    def __init__(self, sessions: Sequence[date], closes: Iterable[tuple[str, date, float]]) -> None:
        self._sessions = sessions
        number = {day: index for index, day in enumerate(sessions)}
        self._closes: dict[str, dict[int, float]] = defaultdict(dict)
        for symbol, day, close in closes:
            if day in number:
                self._closes[symbol][number[day]] = close
        self._priced = {
            symbol: sum(1 << session for session in known) for symbol, known in self._closes.items()
        }
        self._moves: dict[tuple[str, int], bool] = {}

    def correlated(self, symbols: Collection[str], day: date) -> list[str]:
        """Those that stay. While the dates that all have in common, in the 90 days up to `day`,
        give fewer than 30 returns, the one with the fewest prices leaves, of equals the first in
        the alphabet; then those that do not move leave."""
        window, left = self._window(day), sorted(symbols)
        while left:
            common = window
            for symbol in left:
                common &= self._priced.get(symbol, 0)
            if common.bit_count() <= _FEWEST_RETURNS:
                left.remove(min(left, key=lambda one: self._prices(one, window)))
                continue
            moving = [symbol for symbol in left if self._moving(symbol, common)]
            if moving == left:
                break
            left = moving
        return left

    def _window(self, day: date) -> int:
        first = bisect_left(self._sessions, day - _WINDOW)
        return (1 << bisect_right(self._sessions, day)) - (1 << first)

    def _prices(self, symbol: str, window: int) -> int:
        return (self._priced.get(symbol, 0) & window).bit_count()

    def _moving(self, symbol: str, dates: int) -> bool:
        """Whether a symbol's returns between these dates are not all alike."""
        if (symbol, dates) not in self._moves:
            known = self._closes[symbol]
            logs = (log(known[session]) for session in _numbers(dates))
            self._moves[symbol, dates] = _differ(b - a for a, b in pairwise(logs))
        return self._moves[symbol, dates]


def _numbers(bits: int) -> Iterator[int]:
    """The numbers of the bits that are set, ascending."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def _differ(returns: Iterator[float]) -> bool:
    """Whether they are not all alike; looks no further than it has to."""
    low = high = next(returns)
    for one in returns:
        low, high = min(low, one), max(high, one)
        if high - low > _ALIKE:
            return True
    return False
