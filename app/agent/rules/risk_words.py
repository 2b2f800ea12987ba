"""What the tools about risk and return say, in words."""

from itertools import combinations
from typing import Any

from app.agent.rules.question import Question
from app.agent.rules.wording import bullets, dollars, figure, numbered, points, section, share

_MOST_PAIRS = 5


def overview(data: Any, _: Question) -> str:
    """Exposures, leverage, profit and loss."""
    exposed, profit, count = data["exposures"], data["pnl"], data["position_count"]
    sides = [
        f"{side}: {dollars(exposed[f'{side}_exposure'])} ({points(exposed[f'{side}_percentage'])})"
        for side in ("long", "short", "gross", "net")
    ]
    return section(
        "Overview",
        f"Net asset value {dollars(data['net_asset_value'])}, cash "
        f"{dollars(data['cash_balance'])}, leverage {figure(data['leverage'])}.",
        "Exposure, in percent of the equity:\n" + bullets(sides),
        f"Profit and loss: {dollars(profit['total_pnl'])} in total, "
        f"{dollars(profit['unrealized_pnl'])} of it unrealized; {dollars(profit['ytd_pnl'])} this "
        f"year, {dollars(profit['mtd_pnl'])} this month.",
        f"{count['total_positions']} positions: {count['long_count']} long, "
        f"{count['short_count']} short, {count['option_count']} options.",
    )


def factors(data: Any, _: Question) -> str:
    """Betas to factors, the largest first."""
    if gap := unavailable(data):
        return section("Factor exposures", gap)
    ordered = sorted(data["factors"], key=lambda each: -abs(each["beta"]))
    lines = [
        f"**{each['name']}**: beta {figure(each['beta'])}, {dollars(each['exposure_dollar'])}"
        for each in ordered
    ]
    return section(f"Factor exposures on {data['calculation_date']}", bullets(lines))


def sectors(data: Any, _: Question) -> str:
    """Sector weights against the benchmark."""
    if gap := unavailable(data):
        return section("Sectors", gap)
    found = data["data"]
    own, benchmark = found["portfolio_weights"], found["benchmark_weights"]
    lines = [
        f"**{sector}**: {share(weight)}"
        + (f", S&P 500 {share(benchmark[sector])}" if sector in benchmark else "")
        for sector, weight in sorted(own.items(), key=lambda each: -each[1])
    ]
    return section(
        f"Sectors on {data['calculation_date']}",
        bullets(lines),
        f"Largest overweight: {found['largest_overweight'] or 'none'}. Largest underweight: "
        f"{found['largest_underweight'] or 'none'}.",
        f"{found['unclassified_count']} positions have no sector "
        f"({dollars(found['unclassified_value'])})."
        if found["unclassified_count"]
        else "",
    )


def correlations(data: Any, _: Question) -> str:
    """The average correlation, and the pairs that move together and apart the most."""
    if gap := unavailable(data):
        return section("Correlations", gap)
    matrix = data["data"]["matrix"]
    pairs = [
        (value, first, second)
        for first, second in combinations(matrix, 2)
        if (value := matrix[first].get(second)) is not None
    ]
    pairs.sort(reverse=True)
    lowest = [pair for pair in reversed(pairs) if pair not in pairs[:_MOST_PAIRS]][:_MOST_PAIRS]
    return section(
        f"Correlations on {data['calculation_date']}",
        f"The average over {len(matrix)} positions is "
        f"{figure(data['data']['average_correlation'])}.",
        "Most alike:\n" + bullets(_pair(*pair) for pair in pairs[:_MOST_PAIRS]),
        "Least alike:\n" + bullets(_pair(*pair) for pair in lowest) if lowest else "",
    )


def _pair(value: float, first: str, second: str) -> str:
    return f"{first} and {second}: {figure(value)}"


def stress(data: Any, question: Question) -> str:
    """Scenarios, the worst first."""
    if gap := unavailable(data):
        return section("Stress tests", gap)
    found = data["data"]
    ordered = sorted(found["scenarios"], key=lambda each: each["impact"]["dollar_impact"])
    lines = [
        f"**{each['name']}**: {dollars(each['impact']['dollar_impact'])} "
        f"({points(each['impact']['percentage_impact'])})"
        for each in ordered[: question.count]
    ]
    return section(
        f"Stress tests on {found['calculation_date']}",
        f"Of a portfolio of {dollars(found['portfolio_value'])}, the worst first:",
        numbered(lines),
    )


def concentration(data: Any, _: Question) -> str:
    """How much the largest positions weigh."""
    if gap := unavailable(data):
        return section("Concentration", gap)
    found = data["data"]
    return section(
        f"Concentration on {data['calculation_date']}",
        f"The Herfindahl index is {figure(found['hhi'], 0)} of 10,000: as concentrated as "
        f"{figure(found['effective_num_positions'], 1)} equal positions; there are "
        f"{found['total_positions']}.",
        f"The largest three are {share(found['top_3_concentration'])} of the gross value, the "
        f"largest ten {share(found['top_10_concentration'])}.",
    )


def volatility(data: Any, _: Question) -> str:
    """Realized and expected volatility."""
    if gap := unavailable(data):
        return section("Volatility", gap)
    found = data["data"]
    lines = [
        f"realized over 21 trading days: {share(found['realized_volatility_21d'])} a year",
        f"realized over 63 trading days: {share(found['realized_volatility_63d'])}",
        f"expected over the next 21: {share(found['expected_volatility_21d'])}",
        f"trend: {found['volatility_trend'] or 'unknown'}",
        f"percentile of its own past: {share(found['volatility_percentile'])}",
    ]
    return section(f"Volatility on {data['calculation_date']}", bullets(lines))


def unavailable(data: Any) -> str:
    """Why an analysis has no figures; empty where it has."""
    if data.get("available", True):
        return ""
    quality, metadata = data.get("data_quality") or {}, data.get("metadata") or {}
    reason = quality.get("message") or metadata.get("message") or metadata.get("reason")
    return f"Not available: {reason or 'no figures are stored'}"
