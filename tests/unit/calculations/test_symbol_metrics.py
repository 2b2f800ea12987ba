import numpy as np
import pytest

from app.calculations.symbol_metrics import data_quality_score, symbol_metrics

DATES = np.array(
    [
        "2024-12-12",
        "2024-12-31",
        "2025-09-19",
        "2025-11-18",
        "2025-11-19",
        "2025-11-28",
        "2025-12-18",
        "2025-12-19",
    ],
    dtype="datetime64[D]",
)
DAY = len(DATES) - 1


def _prices(**closes: float) -> np.ndarray:
    prices = np.full((len(DATES), 1), np.nan)
    for day, close in closes.items():
        prices[list(DATES).index(np.datetime64(day.strip("_").replace("_", "-"))), 0] = close
    return prices


@pytest.mark.parametrize(
    ("field", "reference"),
    [
        ("return_1d", "2025_12_18"),
        ("return_mtd", "2025_11_28"),
        ("return_ytd", "2024_12_31"),
        ("return_1m", "2025_11_19"),
        ("return_1m", "2025_11_18"),
        ("return_3m", "2025_09_19"),
        ("return_1y", "2024_12_12"),
    ],
)
def test_each_return_is_against_the_last_close_by_its_reference_date(
    field: str, reference: str
) -> None:
    prices = _prices(**{f"_{reference}": 80.0, "_2025_12_19": 100.0})
    found = symbol_metrics(prices, DATES, DAY)
    assert found.current_price[0] == 100.0
    assert getattr(found, field)[0] == pytest.approx(0.25)


def test_a_reference_close_more_than_ten_days_old_does_not_count() -> None:
    dates = np.array(["2025-12-07", "2025-12-08", "2025-12-19"], dtype="datetime64[D]")
    old, recent = np.array([[80.0], [np.nan], [100.0]]), np.array([[np.nan], [80.0], [100.0]])
    assert symbol_metrics(recent, dates, 2).return_1d[0] == pytest.approx(0.25)
    assert np.isnan(symbol_metrics(old, dates, 2).return_1d[0])


def test_without_a_close_on_the_day_nothing_is_known() -> None:
    found = symbol_metrics(_prices(_2025_12_18=80.0), DATES, DAY)
    assert np.isnan(found.current_price[0])
    assert np.isnan(found.return_1d[0])


def test_later_closes_are_not_looked_at() -> None:
    prices = _prices(_2025_11_28=80.0, _2025_12_18=100.0, _2025_12_19=500.0)
    found = symbol_metrics(prices, DATES, DAY - 1)
    assert found.current_price[0] == 100.0
    assert found.return_mtd[0] == pytest.approx(0.25)


def test_the_quality_score_adds_what_is_there() -> None:
    prices = np.full((len(DATES), 4), np.nan)
    prices[DAY, 1:] = 100.0
    prices[DAY - 1, 2:] = 99.0
    metrics = symbol_metrics(prices, DATES, DAY)
    has_profile = np.array([False, True, False, True])
    has_factors = np.array([True, False, False, True])
    score = data_quality_score(metrics, has_profile, has_factors)
    np.testing.assert_array_equal(score, [20.0, 50.0, 60.0, 100.0])
