"""What every database of the system holds, whoever its users are.

Each function returns complete rows for its table, keyed by column, with ids that are derived from
the natural key.
"""

import csv
import tomllib
from datetime import date
from decimal import Decimal
from importlib.resources import files
from typing import Any
from uuid import UUID, uuid5

Row = dict[str, Any]

_NAMESPACE = UUID("9d7c25b4-3b59-5f0e-8d3c-2f6f3a1f7c11")


def factor_definitions() -> list[Row]:
    """The thirteen factors: six styles, four spreads and three portfolio-level betas.

    Spread factors have type `spread` (which the spread endpoint reads) and method
    `spread_regression` (by which the batch finds its own rows).
    """
    return [
        {
            "id": uuid5(_NAMESPACE, f"factor/{row['name']}"),
            **row,
            "display_order": order,
            "is_active": True,
        }
        for order, row in enumerate(_csv_rows("factor_definitions.csv"), start=1)
    ]


def stress_scenarios() -> list[Row]:
    """The 22 scenarios in six categories; the three historical replays are not active."""
    categories = tomllib.loads(_text("stress_scenarios.toml"))
    return [
        {
            "id": uuid5(_NAMESPACE, f"scenario/{scenario['scenario_id']}"),
            "scenario_id": scenario["scenario_id"],
            "name": scenario["name"],
            "description": scenario["description"],
            "category": category,
            "severity": scenario["severity"],
            "shock_config": {"shocked_factors": scenario["shocks"]},
            "active": scenario.get("active", True),
        }
        for category, scenarios in categories.items()
        for scenario in scenarios
    ]


def benchmark_weights() -> list[Row]:
    """Approximate sector weights of the S&P 500 at three quarter ends; each quarter sums to 1."""
    return [
        {
            "id": uuid5(_NAMESPACE, "/".join(("benchmark", *list(row.values())[:3]))),
            "benchmark_code": row["benchmark_code"],
            "asof_date": date.fromisoformat(row["asof_date"]),
            "sector": row["sector"],
            "weight": Decimal(row["weight"]),
            "market_cap": None,
            "num_constituents": None,
            "data_source": "demo",
        }
        for row in _csv_rows("benchmark_sector_weights.csv")
    ]


def _csv_rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(_text(name).splitlines()))


def _text(name: str) -> str:
    return files("ops.reference_data").joinpath(name).read_text(encoding="utf-8")
