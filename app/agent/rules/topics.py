"""What a question may be about: words that give it away, the tool that knows, how it is told."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from app.agent.rules import holdings_words, market_words, risk_words
from app.agent.rules.question import Question

Subject = Literal["user", "portfolio", "symbols", "symbol", "nothing"]

_MOST_TOPICS = 3


@dataclass(frozen=True)
class Topic:
    """One thing that can be asked about.

    Attributes:
        can: what the responder says that it can tell.
        words: as a pattern from the start of a word, in any case; what is matched belongs to this
            topic and to none after it.
        subject: what the tool is asked about.
        also: words that several topics share.
    """

    can: str
    words: str
    tool: str
    tell: Callable[[Any, Question], str]
    subject: Subject = "portfolio"
    also: re.Pattern[str] | None = None


_RISK = re.compile(r"\brisk(?:s|y|iest)?\b|\bdownside\b|\bsafe\b", re.IGNORECASE)
_PORTFOLIO = re.compile(r"\bportfolios?\b|\bbook\b|\baccount\b", re.IGNORECASE)


# The first match wins a place; at most three are told.
TOPICS = (
    Topic(
        "tags",
        r"tags?\b|tagged|labell?ed",
        "get_position_tags",
        holdings_words.tags,
    ),
    Topic(
        "target prices",
        r"(?:price )?targets?\b|target prices?",
        "get_target_prices",
        holdings_words.targets,
    ),
    Topic(
        "data quality",
        r"data quality|data coverage|missing (?:data|prices)|incomplete|complete data",
        "get_portfolio_data_quality",
        holdings_words.quality,
    ),
    Topic(
        "prices of the factors' funds",
        r"factor (?:etfs?|funds?|prices?)",
        "get_factor_etf_prices",
        market_words.factor_funds,
        "nothing",
    ),
    Topic(
        "past prices",
        r"price histor|histor\w* prices?|past prices?|prices? (?:over|since|in) the (?:last|past)|"
        r"price (?:chart|trend|development)",
        "get_prices_historical",
        market_words.history,
    ),
    Topic(
        "movers of the last day",
        r"movers?\b|moved\b|gainers?\b|losers?\b|biggest moves?|today|yesterday|last day",
        "get_daily_movers",
        holdings_words.movers,
    ),
    Topic(
        "correlations",
        r"correlat\w*|diversif\w*|move together",
        "get_correlation_matrix",
        risk_words.correlations,
    ),
    Topic(
        "stress tests",
        r"stress\w*|scenarios?\b|crash\w*|worst case|recession|what if|rate (?:hike|rise|shock)",
        "get_stress_test_results",
        risk_words.stress,
        also=_RISK,
    ),
    Topic(
        "concentration",
        r"concentrat\w*|hhi\b|herfindahl|too much in",
        "get_concentration_metrics",
        risk_words.concentration,
        also=_RISK,
    ),
    Topic(
        "factor exposures and beta",
        r"(?:factor|style)s? (?:exposures?|betas?)|factors?\b|betas?\b|"
        r"momentum|style (?:tilt|exposure)|market sensitivity|sensitiv\w*",
        "get_factor_exposures",
        risk_words.factors,
    ),
    Topic(
        "sectors",
        r"sectors? (?:exposures?|weights?|allocation)|sectors?\b|"
        r"industr\w*|overweight|underweight|benchmark|allocat\w*",
        "get_sector_exposure",
        risk_words.sectors,
    ),
    Topic(
        "volatility",
        r"volatil\w*|standard deviation|swings?\b",
        "get_volatility_analysis",
        risk_words.volatility,
        also=_RISK,
    ),
    Topic(
        "profit and loss by position",
        r"entry prices?|cost basis|unrealized|which positions? (?:made|lost)|winners?\b|"
        r"(?:profits?|loss(?:es)?|gains?|p&l|pnl)(?: and loss(?:es)?)? (?:by|per|of each|on) \w+",
        "get_positions_details",
        holdings_words.positions,
    ),
    Topic(
        "exposure, leverage, profit and loss",
        r"exposures?\b|leverage\w*|gross\b|net (?:exposure|asset)|equity\b|cash\b|p&l|pnl\b|"
        r"profits?\b|performance|performing|doing\b|returns?\b|worth\b|value of my|overview|"
        r"summary",
        "get_analytics_overview",
        risk_words.overview,
    ),
    Topic(
        "top holdings",
        r"holdings?\b|positions?\b|stocks?\b|hold\b|own\b|invested in|(?:largest|biggest) bets?",
        "get_portfolio_complete",
        holdings_words.holdings,
    ),
    Topic(
        "prices of symbols",
        r"prices?\b|quotes?\b|quoted|trad(?:es?|ing) at|cost\b",
        "get_current_quotes",
        market_words.quotes,
        "symbols",
    ),
    Topic(
        "companies",
        r"compan(?:y|ies)|profiles?\b|tell me about|who is|business|about\b|what does",
        "get_company_profile",
        market_words.profile,
        "symbol",
    ),
    Topic(
        "your portfolios",
        r"portfolios\b|accounts\b|list .*portfolio",
        "list_user_portfolios",
        holdings_words.portfolios,
        "user",
    ),
)
_OF_SYMBOLS = tuple(topic for topic in TOPICS if topic.subject in ("symbols", "symbol"))
_COMPANY = next(topic for topic in TOPICS if topic.subject == "symbol")
# Asked of a symbol and not of the asker's own, these are facts of the company.
_ALSO_OF_COMPANIES = frozenset({"get_sector_exposure", "get_factor_exposures"})
# Told where a question speaks of the portfolio and says no more.
_GENERAL = tuple(
    topic for topic in TOPICS if topic.tool in ("get_analytics_overview", "get_portfolio_complete")
)


def topics_of(question: Question) -> tuple[Topic, ...]:
    """What the question is about; nothing where no word gives it away."""
    if question.defines:
        return ()
    found = _matching(question.text)
    if question.symbols:
        return _about_symbols(question, found)
    found = [topic for topic in found if topic not in _OF_SYMBOLS]
    if not found and question.personal and _PORTFOLIO.search(question.text):
        return _GENERAL
    return tuple(found[:_MOST_TOPICS])


def _about_symbols(question: Question, found: list[Topic]) -> tuple[Topic, ...]:
    if not question.personal:
        found = [_COMPANY if topic.tool in _ALSO_OF_COMPANIES else topic for topic in found]
    return tuple(dict.fromkeys(found))[:_MOST_TOPICS] or _OF_SYMBOLS


def _matching(text: str) -> list[Topic]:
    found, rest = list[Topic](), text
    for topic in TOPICS:
        left = re.sub(rf"\b(?:{topic.words})", " ", rest, flags=re.IGNORECASE)
        if left != rest or (topic.also and topic.also.search(text)):
            found.append(topic)
        rest = left
    return found
