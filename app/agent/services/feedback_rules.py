"""What ratings say about their user's taste: plain comparisons of texts, no database."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

_SHORTER, _LONGER = 0.7, 1.4
_FEWEST = 3
_SURE_OF_TOPIC = 0.8
# Nothing that was only watched is ever certain.
_MOST_CONFIDENCE = 0.9
_QUOTED = 300

_LIST_LINE = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s", re.MULTILINE)
_TABLE_LINE = re.compile(r"^\s*\|.*\|\s*$", re.MULTILINE)

_TOPICS = {
    "risk and volatility": r"\b(?:risk|volatility|drawdown|stress)",
    "market sensitivity": r"\b(?:beta|market exposure|correlat)",
    "performance": r"\b(?:return|profit|gain|loss|performance)",
    "sectors and concentration": r"\b(?:sector|concentrat|diversif)",
    "options": r"\b(?:option|strike|expiration|call|put)s?\b",
    "company fundamentals": r"\b(?:earnings|revenue|valuation|dividend)",
}


@dataclass(frozen=True, slots=True)
class Rated:
    """An answer and how its user rated it."""

    rating: str
    answer: str
    edited_text: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """Something to mind in later answers.

    Attributes:
        confidence: from 0 to 1.
        evidence_count: how many ratings speak for it.
    """

    type: Literal["preference", "topic"]
    content: str
    confidence: float
    category: str
    evidence_count: int = 1


def rule_from_edit(answer: str, edited_text: str, comment: str | None) -> Rule:
    """What a user's own version of an answer says, in the user's words where there is a comment."""
    category, wish = _style_wish(answer, edited_text)
    said = f' They said: "{_one_line(comment)}"' if comment and comment.strip() else ""
    confidence = 0.5 + (0.2 if said else 0) + (0.1 if category != "content" else 0)
    return Rule("preference", f"{wish}{said}", round(confidence, 2), category)


def _style_wish(answer: str, edited_text: str) -> tuple[str, str]:
    listed, wanted = (bool(_LIST_LINE.search(text)) for text in (answer, edited_text))
    tabled, table_wanted = (bool(_TABLE_LINE.search(text)) for text in (answer, edited_text))
    ratio = len(edited_text) / max(len(answer), 1)
    if table_wanted and not tabled:
        return "format", "Prefers figures in a table."
    if wanted != listed:
        wish = "Prefers lists to running text." if wanted else "Prefers running text to lists."
        return "format", wish
    if ratio <= _SHORTER:
        return "communication_style", "Prefers shorter answers."
    if ratio >= _LONGER:
        return "communication_style", "Prefers more detailed answers."
    return "content", f'Corrected an answer to: "{_one_line(edited_text)}"'


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_QUOTED]


def patterns(rated: Sequence[Rated], min_confidence: float) -> list[Rule]:
    """What a user's ratings have in common; nothing from fewer than three."""
    if len(rated) < _FEWEST:
        return []
    found = [*_length_patterns(rated), *_topic_patterns(rated)]
    return [rule for rule in found if rule.confidence >= min_confidence]


def _length_patterns(rated: Sequence[Rated]) -> list[Rule]:
    """Whether the user's own versions are consistently shorter or longer."""
    edited = [each for each in rated if each.edited_text and each.answer]
    ratios = [len(each.edited_text or "") / len(each.answer) for each in edited]
    if len(ratios) < _FEWEST:
        return []
    typical = median(ratios)
    if _SHORTER < typical < _LONGER:
        return []
    shorter = typical <= _SHORTER
    agreeing = sum((ratio < 1) == shorter for ratio in ratios)
    wish = "shorter" if shorter else "more detailed"
    confidence = min(agreeing / len(ratios), _MOST_CONFIDENCE)
    content = f"Regularly rewrites answers: prefers {wish} ones."
    return [Rule("preference", content, round(confidence, 2), "communication_style", len(ratios))]


def _topic_patterns(rated: Sequence[Rated]) -> list[Rule]:
    """Topics that the user nearly always likes, or nearly never."""
    found = []
    for topic, words in _TOPICS.items():
        ratings = [each.rating for each in rated if re.search(words, each.answer, re.IGNORECASE)]
        liked = ratings.count("up") / len(ratings) if len(ratings) >= _FEWEST else 0.5
        if max(liked, 1 - liked) < _SURE_OF_TOPIC:
            continue
        wish = "Values answers on" if liked > 0.5 else "Is rarely content with answers on"
        confidence = round(min(max(liked, 1 - liked), _MOST_CONFIDENCE), 2)
        content = f"{wish} {topic}."
        found.append(Rule("topic", content, confidence, "topic_preference", len(ratings)))
    return found
