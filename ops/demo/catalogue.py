"""The instruments of the demo: who they are, and what drives their generated prices."""

import csv
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files

ANCHOR_DATE = date(2025, 6, 30)


@dataclass(frozen=True)
class Instrument:
    """One row of `symbols.csv`.

    `anchor_close` is the close of 30 June 2025 in dollars (for held symbols the real one, adjusted
    for later splits and dividends; for the others a round figure). `loadings` are sensitivities to
    the latent factors of `ops.demo.prices`, `specific_vol` an annual volatility.
    """

    symbol: str
    name: str
    is_etf: bool
    sector: str | None
    industry: str | None
    anchor_close: float
    specific_vol: float
    volume_millions: float
    market_cap_billions: float | None
    pe_ratio: float | None
    profile_beta: float | None
    loadings: dict[str, float]


@lru_cache
def catalogue() -> dict[str, Instrument]:
    """Every instrument by its symbol, in alphabetical order."""
    text = files("ops.demo").joinpath("symbols.csv").read_text(encoding="utf-8")
    rows = sorted(csv.DictReader(text.splitlines()), key=lambda row: row["symbol"])
    return {row["symbol"]: _instrument(row) for row in rows}


def _instrument(row: dict[str, str]) -> Instrument:
    pairs = (pair.split("=") for pair in row["loadings"].split())
    return Instrument(
        symbol=row["symbol"],
        name=row["name"],
        is_etf=row["kind"] == "etf",
        sector=row["sector"] or None,
        industry=row["industry"] or None,
        anchor_close=float(row["anchor_close"]),
        specific_vol=float(row["specific_vol"]),
        volume_millions=float(row["volume_millions"]),
        market_cap_billions=_optional(row["market_cap_billions"]),
        pe_ratio=_optional(row["pe_ratio"]),
        profile_beta=_optional(row["profile_beta"]),
        loadings={factor: float(loading) for factor, loading in pairs},
    )


def _optional(text: str) -> float | None:
    return float(text) if text else None
