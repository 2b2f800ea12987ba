"""What can be read out of a question without understanding it."""

import re
from dataclasses import dataclass

from app.agent.tools.arguments import MOST_SYMBOLS

_DEFAULT_COUNT = 10
_LARGEST_COUNT = 50

_SYMBOL = re.compile(r"\$([A-Za-z]{1,5})\b|\b([A-Z]{2,5}(?:[.-][A-Z])?|[A-Z]{5}X)\b")
_COUNT = re.compile(r"\b(?:top|largest|biggest|first)\s+(\d{1,3})\b", re.IGNORECASE)
_ALL = re.compile(r"\ball\b|\bevery\b|\beach\b", re.IGNORECASE)
_DEFINITION = re.compile(
    r"^\s*(?:what(?:'s| is| are| does)|explain|define|how (?:is|are|does|do))\b", re.IGNORECASE
)
_PERSONAL = re.compile(r"\b(?:my|mine|our|i|we|portfolios?|book)\b", re.IGNORECASE)

# Capitals that are no symbols.
_WORDS = re.compile(
    r"AI|API|ATM|BETA|CAGR|CEO|CFO|CPI|DO|ESG|ETFS?|EPS|EUR?|FAQ|FED|FX|GBP|GDP|HHI|HML|HOW|IPO|"
    r"IRA|IS|IT|IV|KPI|LLM|ME|MTD|MY|NAV|NOT|NYSE|OK|OR|OTC|PE|PNL|PL|QTD|RAG|RMW|ROE|ROI|SEC|"
    r"SMB|SQL|SSE|TOP|UK|USA?|USD|VAR|VIX|VS|WHAT|YOY|YTD|YTM"
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question.

    Attributes:
        symbols: what looks like tickers, in order.
        count: how many of a list are wanted.
        personal: it speaks of the asker's own.
        defines: it asks for the meaning of something, not for figures.
    """

    text: str
    symbols: tuple[str, ...]
    count: int
    personal: bool
    defines: bool


def read(text: str) -> Question:
    """What the question names."""
    symbols = _symbols(text)
    personal = bool(_PERSONAL.search(text))
    defines = bool(_DEFINITION.match(text)) and not personal and not symbols
    return Question(text, symbols, _count(text), personal, defines)


def _symbols(text: str) -> tuple[str, ...]:
    if text.isupper() and len(text.split()) > 2:
        return ()  # shouted
    found = [(dollar or plain).upper() for dollar, plain in _SYMBOL.findall(text)]
    unique = dict.fromkeys(symbol for symbol in found if not _WORDS.fullmatch(symbol))
    return tuple(unique)[:MOST_SYMBOLS]


def _count(text: str) -> int:
    if named := _COUNT.search(text):
        return max(1, min(int(named[1]), _LARGEST_COUNT))
    return _LARGEST_COUNT if _ALL.search(text) else _DEFAULT_COUNT
