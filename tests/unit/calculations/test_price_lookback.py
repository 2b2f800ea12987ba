import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.calculations.price_lookback import last_price

START = np.datetime64("2025-03-03")


@given(
    st.sets(st.integers(0, 60), min_size=1, max_size=15),
    st.one_of(st.none(), st.integers(0, 20)),
    st.data(),
)
def test_the_last_close_within_the_limit_is_found(
    offsets: set[int], limit: int | None, data: st.DataObject
) -> None:
    dates = START + np.array(sorted(offsets)).astype("timedelta64[D]")
    closes = st.sampled_from([np.nan, 0.0, np.inf, 1.5, 2.5, 3.5])
    prices = data.draw(arrays(float, (len(dates), 2), elements=closes))
    on_or_before = last_price(prices, dates, limit)
    for row, today in enumerate(dates):
        for column in range(2):
            known = [
                close
                for day, close in zip(dates[: row + 1], prices[: row + 1, column], strict=True)
                if np.isfinite(close)
                and close > 0
                and (limit is None or today - day <= np.timedelta64(limit, "D"))
            ]
            expected = known[-1] if known else np.nan
            np.testing.assert_equal(on_or_before[row, column], expected)
