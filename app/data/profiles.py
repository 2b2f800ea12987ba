"""Company profiles."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from app.data.owned_positions import owned_positions
from app.errors import BadRequestError
from app.holdings import open_holdings
from app.json_response import JsonValue, json_row, json_value, utc_text
from app.models import CompanyProfile
from app.models.base import utc_now
from app.ownership import owned_portfolio

PROFILE_FIELDS: tuple[str, ...] = tuple(CompanyProfile.__table__.columns.keys())


class ProfilesMeta(TypedDict):
    """What was asked for; the keys that are not always there follow the kind of question."""

    query_type: str
    requested_symbols: list[str]
    returned_profiles: int
    missing_profiles: list[str]
    as_of: str
    position_ids: NotRequired[list[str]]
    position_symbol_map: NotRequired[dict[str, str]]
    portfolio_id: NotRequired[str]
    fields_requested: NotRequired[list[str]]


class CompanyProfiles(TypedDict):
    """The profiles, by symbol, each with the fields that were asked for."""

    profiles: list[dict[str, JsonValue]]
    meta: ProfilesMeta


class CompanyFacts(TypedDict):
    """What a position shows of its company."""

    company_name: str | None
    sector: str | None
    industry: str | None


NO_FACTS: CompanyFacts = {"company_name": None, "sector": None, "industry": None}


@dataclass(frozen=True, slots=True)
class _Question:
    kind: str
    symbols: Sequence[str]
    meta: Mapping[str, Any]


async def company_facts(
    session: AsyncSession, symbols: Iterable[str]
) -> Mapping[str, CompanyFacts]:
    """Symbol -> name, sector and industry; symbols without a profile are absent."""
    columns = [getattr(CompanyProfile, name) for name in ("symbol", *CompanyFacts.__annotations__)]
    query = select(*columns).where(CompanyProfile.symbol.in_(sorted(set(symbols))))
    return {row.symbol: json_row(CompanyFacts, row) for row in await session.execute(query)}


async def company_profiles(
    session: AsyncSession,
    user_id: UUID,
    *,
    symbols: Sequence[str] | None = None,
    portfolio_id: UUID | None = None,
    position_ids: Sequence[UUID] | None = None,
    fields: Sequence[str] | None = None,
) -> CompanyProfiles:
    """The profiles of exactly one of: symbols (anybody may see them), a portfolio's open holdings,
    positions.

    Raises:
        BadRequestError: none or several of the three are given, or a field does not exist.
        NotFoundError: portfolio or position are not the user's.
    """
    chosen = _chosen_fields(fields)
    question = await _question(session, user_id, symbols, portfolio_id, position_ids)
    profiles = await _profiles(session, question.symbols, chosen or PROFILE_FIELDS)
    known = {profile["symbol"] for profile in profiles}
    meta: ProfilesMeta = {
        "query_type": question.kind,
        "requested_symbols": list(question.symbols),
        "returned_profiles": len(profiles),
        "missing_profiles": [symbol for symbol in question.symbols if symbol not in known],
        "as_of": utc_text(utc_now()),
        **question.meta,  # type: ignore[typeddict-item]
    }
    if chosen:
        meta["fields_requested"] = chosen
    return {"profiles": profiles, "meta": meta}


def _chosen_fields(fields: Sequence[str] | None) -> list[str] | None:
    """The symbol is always among them."""
    if not fields:
        return None
    unknown = sorted(set(fields) - set(PROFILE_FIELDS))
    if unknown:
        raise BadRequestError(f"Invalid field names: {', '.join(unknown)}")
    return list(dict.fromkeys(fields if "symbol" in fields else ["symbol", *fields]))


async def _question(
    session: AsyncSession,
    user_id: UUID,
    symbols: Sequence[str] | None,
    portfolio_id: UUID | None,
    position_ids: Sequence[UUID] | None,
) -> _Question:
    given = [choice for choice in (symbols, portfolio_id, position_ids) if choice is not None]
    if len(given) != 1:
        raise BadRequestError("Give exactly one of symbols, position_ids or portfolio_id")
    if symbols is not None:
        return _Question("symbols", list(dict.fromkeys(s.upper() for s in symbols)), {})
    if portfolio_id is not None:
        return await _portfolio_question(session, user_id, portfolio_id)
    return await _positions_question(session, user_id, position_ids or ())


async def _portfolio_question(
    session: AsyncSession, user_id: UUID, portfolio_id: UUID
) -> _Question:
    portfolio = await owned_portfolio(session, user_id, portfolio_id)
    held = {h.symbol for h in await open_holdings(session, [portfolio.id])}
    return _Question("portfolio", sorted(held), {"portfolio_id": str(portfolio_id)})


async def _positions_question(
    session: AsyncSession, user_id: UUID, position_ids: Sequence[UUID]
) -> _Question:
    owned = await owned_positions(session, user_id, position_ids)
    by_id = {str(id_): position.symbol for id_, position in owned.items()}
    symbols = list(dict.fromkeys(by_id.values()))
    meta = {"position_ids": list(by_id), "position_symbol_map": by_id}
    return _Question("positions", symbols, meta)


async def _profiles(
    session: AsyncSession, symbols: Sequence[str], fields: Sequence[str]
) -> list[dict[str, JsonValue]]:
    query = (
        select(*[getattr(CompanyProfile, field) for field in fields])
        .where(CompanyProfile.symbol.in_(symbols))
        .order_by(CompanyProfile.symbol.collate("C"))
    )
    rows = await session.execute(query)
    return [dict(zip(fields, map(json_value, row), strict=True)) for row in rows]
