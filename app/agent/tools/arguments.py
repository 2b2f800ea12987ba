"""What each tool takes. A model's arguments are clamped to the bounds where that is harmless."""

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

LARGEST_LOOKBACK_DAYS = 180
MOST_SYMBOLS = 5
MOST_PORTFOLIOS = 10
_MOST_IDS = 50
_LONGEST_SYMBOL = 20


def _clamped(low: int, high: int) -> Callable[[int], int]:
    return lambda value: max(low, min(high, value))


def _unless_default(value: object) -> object:
    """Models say "default", or nothing at all, for the conversation's own portfolio."""
    return None if value in ("default", "") else value


def _listed(value: object) -> object:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list):
        return parts
    return [part.strip() if isinstance(part, str) else part for part in parts]


def _symbols(values: list[str]) -> list[str]:
    found = list(dict.fromkeys(value.upper() for value in values if value))
    if any(len(symbol) > _LONGEST_SYMBOL or not symbol.isprintable() for symbol in found):
        raise ValueError("these are no symbols")
    return found[:MOST_SYMBOLS]


def _not_empty(values: list[str]) -> list[str]:
    if not values:
        raise ValueError("name at least one symbol")
    return values


Days = Annotated[int, AfterValidator(_clamped(1, LARGEST_LOOKBACK_DAYS))]
PortfolioId = Annotated[UUID | None, BeforeValidator(_unless_default)]
Ids = Annotated[list[UUID] | None, BeforeValidator(_listed), Field(max_length=_MOST_IDS)]
Symbols = Annotated[
    list[str], BeforeValidator(_listed), AfterValidator(_symbols), AfterValidator(_not_empty)
]

_OF_PORTFOLIO = "Id of the portfolio; left out, the conversation's own"


class Arguments(BaseModel):
    """No arguments; what a model gives beyond the schema is ignored."""

    model_config = ConfigDict(extra="ignore")

    @classmethod
    def parameters(cls) -> dict[str, Any]:
        """The JSON schema, without titles and nulls: endpoints differ in what they accept."""
        schema = cls.model_json_schema()
        properties = {k: _plain(v) for k, v in schema.get("properties", {}).items()}
        required = schema.get("required", [])
        return {"type": "object", "properties": properties, "required": required}


class OfPortfolio(Arguments):
    """A portfolio of the caller."""

    portfolio_id: PortfolioId = Field(None, description=_OF_PORTFOLIO)


class Complete(OfPortfolio):
    """Which parts of which portfolios."""

    portfolio_ids: Annotated[
        list[UUID] | None, BeforeValidator(_listed), Field(max_length=MOST_PORTFOLIOS)
    ] = Field(None, description="Several portfolios at once, instead of portfolio_id")
    include_holdings: bool = Field(True, description="Every position with its value")
    include_timeseries: bool = False
    include_attrib: bool = False


class Positions(OfPortfolio):
    """Which positions."""

    position_ids: Ids = Field(None, description="Only these positions, comma-separated ids")
    include_closed: bool = Field(False, description="Also positions that were exited")


class Quality(OfPortfolio):
    """Which checks of data quality."""

    check_factors: bool = True
    check_correlations: bool = True


class History(OfPortfolio):
    """How far back."""

    lookback_days: Days = Field(90, description="Calendar days, at most 180")
    include_factor_etfs: bool = False


class Quotes(Arguments):
    """Which symbols."""

    symbols: Symbols = Field(description="Up to 5 ticker symbols")
    include_options: bool = False


class FactorPrices(Arguments):
    """Which factors' funds."""

    lookback_days: Days = Field(90, description="Calendar days, at most 180")
    factors: Annotated[list[str] | None, BeforeValidator(_listed), Field(max_length=20)] = Field(
        None, description="Names of factors; left out, all"
    )


class Profile(Arguments):
    """Which company."""

    symbol: Annotated[str, Field(min_length=1, max_length=_LONGEST_SYMBOL)] = Field(
        description="Ticker symbol"
    )


class Movers(OfPortfolio):
    """How large a move counts."""

    threshold_pct: float = Field(0.5, ge=0, le=100, description="Smallest move, in percent")


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    kinds = [each for each in schema.get("anyOf", []) if each.get("type") != "null"]
    whole = {**(kinds[0] if kinds else {}), **schema}
    dropped = {"title", "anyOf"} | ({"default"} if whole.get("default") is None else set())
    return {key: value for key, value in whole.items() if key not in dropped}
