"""What the tools about prices and companies say, in words."""

from typing import Any

from app.agent.rules.question import Question
from app.agent.rules.wording import bullets, dollars, figure, points, section, share

_LONGEST_DESCRIPTION = 400


def quotes(data: Any, question: Question) -> str:
    """The newest prices."""
    lines = [
        f"**{each['symbol']}**: {dollars(each['last_price'])} on {each['timestamp'][:10]}, "
        f"{dollars(each['day_change'])} ({points(each['day_change_percent'])}) that day"
        for each in data["quotes"]
    ]
    known = {each["symbol"] for each in data["quotes"]}
    missing = [symbol for symbol in question.symbols if symbol not in known]
    lines += [f"**{symbol}**: no price is stored" for symbol in missing]
    return section("Prices", bullets(lines))


def profile(data: Any, _: Question) -> str:
    """Companies."""
    missing = data["meta"]["missing_profiles"]
    known = "\n\n".join(_profile(each) for each in data["profiles"])
    unknown = f"No profile is stored of {', '.join(missing)}." if missing else ""
    return "\n\n".join(part for part in (known, unknown) if part)


def _profile(each: Any) -> str:
    facts = {
        "sector": each.get("sector"),
        "industry": each.get("industry"),
        "market value": _or_none(dollars, each.get("market_cap")),
        "price over earnings": _or_none(figure, each.get("pe_ratio")),
        "beta": _or_none(figure, each.get("beta")),
        "dividend yield": _or_none(share, each.get("dividend_yield")),
    }
    lines = [f"{name}: {fact}" for name, fact in facts.items() if fact]
    name = (
        f"{each['symbol']}, {each['company_name']}" if each.get("company_name") else each["symbol"]
    )
    return section(name, bullets(lines), (each.get("description") or "")[:_LONGEST_DESCRIPTION])


def history(data: Any, _: Question) -> str:
    """Where prices stood at the beginning and the end of a span."""
    lines = []
    for symbol, columns in data["symbols"].items():
        closes = columns["close"]
        if closes and closes[0]:
            change = (closes[-1] / closes[0] - 1) * 100
            lines.append(
                f"**{symbol}**: {dollars(closes[0])} to {dollars(closes[-1])} ({points(change)}), "
                f"between {dollars(min(closes))} and {dollars(max(closes))}"
            )
    span = data["metadata"]
    title = f"Prices from {span['start_date']} to {span['end_date']}"
    return section(title, bullets(lines) or "No prices are stored.")


def factor_funds(data: Any, _: Question) -> str:
    """The funds that stand for factors."""
    lines = [
        f"**{each['factor_name']}** ({symbol}): {dollars(each['current_price'])} on "
        f"{each['date'][:10]}, {share(each['lookback_return'])} since {each['lookback_start'][:10]}"
        for symbol, each in data["data"].items()
    ]
    return section("Funds of the factors", bullets(lines) or "No prices are stored.")


def _or_none(word: Any, value: float | None) -> str | None:
    return None if value is None else word(value)
