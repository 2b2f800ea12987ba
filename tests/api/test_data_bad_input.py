"""Input that cannot be right is refused before anything is asked of the database."""

import httpx
import pytest

# Stands for a portfolio of the caller.
_ID = "11111111-1111-1111-1111-111111111111"
_LONG = "A" * 5000


@pytest.mark.parametrize(
    "path",
    [
        "data/portfolio/no-id/complete",
        "data/portfolio/%00/complete",
        "portfolios/1",
        "portfolios?include_inactive=perhaps",
        f"data/portfolio/{_ID}/complete?include_holdings=2",
        f"data/portfolio/{_ID}/complete?include_timeseries=",
        f"data/portfolio/{_ID}/complete?as_of_date=yesterday",
        f"data/portfolio/{_ID}/complete?as_of_date=2025-02-30",
        f"data/portfolio/{_ID}/complete?as_of_date=0",
        f"data/portfolio/{_ID}/complete?as_of_date=2025-02-01T00:00:00",
        f"data/portfolio/{_ID}/data-quality?check_factors=%00",
        "data/positions/details?portfolio_id=1",
        "data/positions/details?position_ids=1,2",
        "data/positions/details?position_ids=,",
        f"data/positions/details?position_ids={_ID}%00",
        f"data/positions/details?position_ids={','.join([_ID] * 300)}",
        f"data/positions/details?portfolio_id={_ID}&include_closed=x",
        f"data/positions/top/{_ID}?limit=0",
        f"data/positions/top/{_ID}?limit=51",
        f"data/positions/top/{_ID}?limit={'9' * 40}",
        f"data/positions/top/{_ID}?sort_by=symbol",
        f"data/positions/top/{_ID}?as_of_date=2025-13-01",
        f"data/positions/top/{_ID}?as_of_date=1735689600",
        f"data/prices/historical/{_ID}?lookback_days=0",
        f"data/prices/historical/{_ID}?lookback_days=366",
        f"data/prices/historical/{_ID}?lookback_days=-1",
        f"data/prices/historical/{_ID}?lookback_days=1e3",
        f"data/prices/historical/{_ID}?date_format=julian",
        "data/prices/quotes",
        "data/prices/quotes?symbols=",
        "data/prices/quotes?symbols=,%20,",
        "data/prices/quotes?symbols=A%00B",
        "data/prices/quotes?symbols=%27;DROP",
        "data/prices/quotes?symbols=%F0%9F%92%A3",
        f"data/prices/quotes?symbols={_LONG}",
        "data/prices/quotes?symbols=SPY&include_options=maybe",
        "data/company-profiles?symbols=%00",
        f"data/company-profiles?symbols={_LONG}",
        "data/company-profiles?position_ids=x",
        "data/company-profiles?portfolio_id=x",
        "data/company-profiles?symbols=SPY&fields=%00",
        "data/company-profiles?symbols=SPY&fields=sector;beta",
        "data/factors/etf-prices?lookback_days=0",
        "data/factors/etf-prices?lookback_days=99999999999999999999",
        "data/factors/etf-prices?factors=%00",
        f"target-prices/{_ID}?position_type=STRADDLE",
        f"target-prices/{_ID}?symbol=%00",
        f"target-prices/{_ID}?symbol={'A' * 21}",
    ],
)
def test_bad_input_is_refused(individual: httpx.Client, path: str) -> None:
    (listed,) = individual.get("/api/v1/data/portfolios").json()
    response = individual.get(f"/api/v1/{path}".replace(_ID, listed["id"]))
    assert response.status_code == 422, response.text
    detail = response.json()["detail"]
    assert all(set(problem) == {"type", "loc", "msg"} for problem in detail)


@pytest.mark.parametrize(
    "path",
    [
        "data/prices/quotes?symbols=BRK-B,BF.B,%5EGSPC,EURUSD%3DX",
        "data/prices/quotes?symbols=" + ",".join(["SPY"] * 200),
        "data/factors/etf-prices?factors=Market%20Beta%20(90D)",
        "data/company-profiles?symbols=BRK-B&fields=company_name,%20beta",
    ],
)
def test_odd_but_good_input_is_answered(individual: httpx.Client, path: str) -> None:
    assert individual.get(f"/api/v1/{path}").status_code == 200
