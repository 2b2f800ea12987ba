"""What the tools about holdings say, in words."""

from collections.abc import Sequence
from typing import Any

from app.agent.rules.question import Question
from app.agent.rules.wording import (
    bullets,
    counted,
    dollars,
    figure,
    numbered,
    points,
    section,
    share,
)


def portfolios(data: Any, _: Question) -> str:
    """The user's portfolios."""
    lines = [
        f"{each['name']}: {dollars(each['net_asset_value'])}, "
        f"{counted(each['position_count'], 'position')}"
        for each in data["portfolios"]
    ]
    total = f"Together {dollars(data['net_asset_value'])}."
    return section("Your portfolios", numbered(lines), total)


def holdings(data: Any, question: Question) -> str:
    """The largest holdings, of one portfolio or of several."""
    if data.get("multi_portfolio"):
        found = [each["data"] for each in data["portfolios"] if "data" in each]
        return "\n\n".join(_holdings(each, question) for each in found)
    return _holdings(data, question)


def _holdings(data: Any, question: Question) -> str:
    held: Sequence[Any] = data.get("holdings") or ()
    whole, day = data["portfolio"], data["meta"]["applied"]["as_of_date"]
    gross = sum(abs(each["market_value"]) for each in held)
    largest = sorted(_asked_for(held, question), key=lambda each: -abs(each["market_value"]))
    largest = largest[: question.count]
    lines = [_holding(each, gross) for each in largest]
    shown = sum(abs(each["market_value"]) for each in largest) / gross if gross else 0.0
    return section(
        f"Top holdings of {whole['name']}",
        f"By market value, prices of {day}. Weights are of the gross value of all "
        f"{counted(len(held), 'position')}, {dollars(gross)}; "
        f"the equity is {dollars(whole['equity_balance'])}.",
        numbered(lines),
        f"Together {share(shown)} of the gross value." if lines else "It holds nothing.",
    )


def _asked_for(held: Sequence[Any], question: Question) -> Sequence[Any]:
    """The named symbols; all where none is named, or none of the named is held."""
    return [each for each in held if each["symbol"] in question.symbols] or held


def _holding(each: Any, gross: float) -> str:
    weight = abs(each["market_value"]) / gross if gross else 0.0
    side = "" if each["position_type"] == "LONG" else f" ({each['position_type'].lower()})"
    price = "no price" if each["last_price"] is None else f"at {dollars(each['last_price'])}"
    return (
        f"**{each['symbol']}**{side}: {dollars(each['market_value'])}, {share(weight)} "
        f"({figure(each['quantity'], 0)} {price})"
    )


def positions(data: Any, question: Question) -> str:
    """Profit and loss by position, the largest moves first; only named symbols where any are."""
    held = _asked_for(data["positions"], question)
    held = sorted(held, key=lambda each: -abs(each["unrealized_pnl"]))[: question.count]
    lines = [
        f"**{each['symbol']}**: {dollars(each['unrealized_pnl'])} "
        f"({points(each['unrealized_pnl_percent'])}) since {each['entry_date']}, bought at "
        f"{dollars(each['entry_price'])}, now worth {dollars(each['market_value'])}"
        for each in held
    ]
    total = data["summary"]
    return section(
        "Profit and loss by position",
        f"Cost {dollars(total['total_cost_basis'])}, worth {dollars(total['total_market_value'])}, "
        f"unrealized {dollars(total['total_unrealized_pnl'])}.",
        numbered(lines),
    )


def quality(data: Any, _: Question) -> str:
    """How complete the price histories are."""
    summary = data["summary"]
    short = [each["symbol"] for each in data["position_data_quality"]["partial_history"]]
    missing = [each["symbol"] for each in data["position_data_quality"]["insufficient_data"]]
    feasible = [
        f"{name.replace('_', ' ')}: {'yes' if each['feasible'] else 'no'}, "
        f"{counted(each['positions_eligible'], 'position')}"
        for name, each in data["calculation_feasibility"].items()
    ]
    return section(
        f"Data quality on {data['assessment_date'][:10]}",
        f"{summary['complete_data']} of {counted(summary['total_positions'], 'position')} have a "
        f"complete price history ({points(summary['data_coverage_percent'])}).",
        f"Partial: {', '.join(short)}." if short else "",
        f"Insufficient: {', '.join(missing)}." if missing else "",
        "Analyses that are possible:\n" + bullets(feasible),
    )


def tags(data: Any, _: Question) -> str:
    """Tags and what carries them."""
    lines = [
        f"**{each['name']}** ({counted(each['position_count'], 'position')}): "
        + ", ".join(sorted({position["symbol"] for position in each["positions"]}))
        for each in data["tags"]
    ]
    return section("Tags", bullets(lines) or "None of your positions carries a tag.")


def targets(data: Any, _: Question) -> str:
    """Target prices."""
    lines = [
        f"**{each['symbol']}**: now {dollars(each['current_price'])}, target at the year's end "
        f"{dollars(each['target_price_eoy'])} ({points(each['expected_return_eoy'])}), next year "
        f"{dollars(each['target_price_next_year'])}, downside "
        f"{dollars(each['downside_target_price'])}"
        for each in data["target_prices"]
    ]
    return section("Target prices", bullets(lines) or "You have set no target prices.")


def movers(data: Any, question: Question) -> str:
    """What rose and fell."""
    moved, meta = data["data"], data["meta"]
    change = moved["portfolio_daily_change"]
    return section(
        f"Movers of {meta.get('last_day') or 'the last trading day'}",
        f"The portfolio moved by {dollars(change['pnl_dollar'])} ({points(change['pnl_pct'])}).",
        "Gainers:\n" + (_moves(moved["gainers"], question) or "- none"),
        "Losers:\n" + (_moves(moved["losers"], question) or "- none"),
    )


def _moves(moved: Sequence[Any], question: Question) -> str:
    return bullets(
        f"**{each['symbol']}** {points(each['daily_change_pct'])}: "
        f"{dollars(each['yesterday_price'])} to {dollars(each['current_price'])}, "
        f"{dollars(each['daily_change_dollar'])}"
        for each in moved[: question.count]
    )
