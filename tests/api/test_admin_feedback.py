"""What administrators see of ratings, and what they start."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.api.backend import Backend
from tests.api.talks import Talker, talking
from tests.api.test_feedback import settled

ADMIN = "/api/v1/admin/feedback"
ANSWER = "Your volatility is 16 % a year, about one percent on a usual day. " * 4
NOBODY = UUID(int=404)
ENDPOINTS = [
    ("GET", "/summary"),
    ("GET", f"/patterns?user_id={NOBODY}"),
    ("GET", "/negative"),
    ("GET", "/learned-preferences"),
    ("GET", "/stats"),
    ("POST", "/run-learning"),
    ("POST", "/reprocess"),
]


@pytest.fixture
def rater(backend: Backend) -> Iterator[Talker]:
    """A user who liked one answer and shortened four, of which one 40 days ago."""
    with talking(backend) as talker:
        talker.say("user", "How risky am I?")
        rate(talker, "up")
        for days in (1, 2, 3, 40):
            rate(talker, "down", edited_text=f"16 % a year, edit {days}.", days=days)
        yield talker
        settled(talker)


def rate(
    talker: Talker,
    rating: str,
    *,
    edited_text: str | None = None,
    comment: str | None = None,
    days: int = 0,
) -> UUID:
    """A rating past the API, so that nothing is learned from it."""
    message = talker.say("assistant", ANSWER)
    talker.ai(
        "INSERT INTO ai_feedback (message_id, rating, edited_text, comment, created_at)"
        " VALUES (%s, %s, %s, %s, now() - %s * interval '1 day')",
        [message, rating, edited_text, comment, days],
    )
    return message


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_only_administrators_may(
    individual: httpx.Client, anonymous: httpx.Client, method: str, path: str
) -> None:
    assert individual.request(method, ADMIN + path).status_code == 403
    assert anonymous.request(method, ADMIN + path).status_code == 401


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_without_any_rating_nothing_fails(hedge_fund: httpx.Client, method: str, path: str) -> None:
    assert hedge_fund.request(method, ADMIN + path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/summary?days=0"),
        ("GET", "/summary?days=366"),
        ("GET", "/summary?user_id=x"),
        ("GET", "/patterns"),
        ("GET", f"/patterns?user_id={NOBODY}&min_confidence=1.1"),
        ("GET", f"/patterns?user_id={NOBODY}&min_confidence=nan"),
        ("GET", "/negative?limit=201"),
        ("GET", "/negative?with_edits_only=perhaps"),
        ("GET", "/learned-preferences?limit=501"),
        ("GET", "/learned-preferences?user_id=%00"),
        ("POST", "/run-learning?days=0"),
        ("POST", "/run-learning?min_confidence=-1"),
        ("POST", "/reprocess?days=31"),
    ],
)
def test_odd_questions_are_refused(hedge_fund: httpx.Client, method: str, path: str) -> None:
    assert hedge_fund.request(method, ADMIN + path).status_code == 422


def test_the_summary_counts_a_users_ratings_of_a_period(
    hedge_fund: httpx.Client, rater: Talker
) -> None:
    def summary(**query: Any) -> dict[str, Any]:
        found: dict[str, Any] = hedge_fund.get(f"{ADMIN}/summary", params=query).json()
        assert found.pop("generated_at").endswith("Z")
        return found

    rate(rater, "down", comment="no")
    expected = {
        "total_feedback": 5,
        "positive": 1,
        "negative": 4,
        "positive_ratio": 0.2,
        "with_edits": 3,
        "with_comments": 1,
        "period_days": 30,
    }
    assert summary(user_id=str(rater.id)) == expected
    assert summary(user_id=str(rater.id), days=60)["total_feedback"] == 6
    assert summary(user_id=str(uuid4()))["total_feedback"] == 0
    [(total,)] = rater.ai(
        "SELECT count(*) FROM ai_feedback WHERE created_at > now() - interval '30 days'", []
    )
    assert summary()["total_feedback"] == total


def test_stats_count_everything(hedge_fund: httpx.Client, rater: Talker) -> None:
    [counts] = rater.ai(
        "SELECT count(*), count(*) FILTER (WHERE rating = 'up'),"
        " count(*) FILTER (WHERE rating = 'down'), count(edited_text),"
        " count(*) FILTER (WHERE created_at > now() - interval '7 days') FROM ai_feedback",
        [],
    )
    found = hedge_fund.get(f"{ADMIN}/stats").json()
    assert found.pop("generated_at").endswith("Z")
    assert found == {
        "total_feedback": counts[0],
        "positive_feedback": counts[1],
        "negative_feedback": counts[2],
        "positive_ratio": counts[1] / counts[0],
        "feedback_with_edits": counts[3],
        "recent_feedback_7d": counts[4],
    }


def test_patterns_of_a_user(hedge_fund: httpx.Client, rater: Talker) -> None:
    def found(confidence: float) -> dict[str, Any]:
        query = {"user_id": str(rater.id), "min_confidence": confidence}
        answer: dict[str, Any] = hedge_fund.get(f"{ADMIN}/patterns", params=query).json()
        return answer

    answer = found(0.5)
    assert answer.keys() == {"user_id", "patterns_found", "patterns", "analyzed_at"}
    assert (answer["user_id"], answer["patterns_found"]) == (str(rater.id), 1)
    [pattern] = answer["patterns"]
    assert pattern["category"] == "communication_style"
    assert pattern["source"] == "pattern_analysis"
    assert pattern["evidence_count"] == 3
    assert found(0.95)["patterns"] == []


def test_bad_ratings_are_shown_with_what_was_rated(hedge_fund: httpx.Client, rater: Talker) -> None:
    plain = rate(rater, "down", comment="no")
    rater.core("DELETE FROM agent_messages WHERE id = %s", [plain])

    def items(**query: Any) -> list[dict[str, Any]]:
        answer = hedge_fund.get(f"{ADMIN}/negative", params=query).json()
        assert answer["total"] == len(answer["items"])
        return list(answer["items"])

    mine = [item for item in items() if item["user_id"] == str(rater.id)]
    assert [item["edited_text"] for item in mine] == [
        f"16 % a year, edit {days}." for days in (1, 2, 3)
    ]
    assert all(item["original_text"] == ANSWER for item in mine)
    [gone] = [item for item in items() if item["message_id"] == str(plain)]
    assert (gone["user_id"], gone["original_text"], gone["comment"]) == (None, None, "no")
    assert str(plain) not in {item["message_id"] for item in items(with_edits_only=True)}
    assert len(items(limit=1)) == 1
    rater.ai("DELETE FROM ai_feedback WHERE message_id = %s", [plain])


def test_the_number_of_statements_does_not_grow_with_the_ratings(
    hedge_fund: httpx.Client, rater: Talker, backend: Backend
) -> None:
    with backend.statements.counted() as few:
        hedge_fund.get(f"{ADMIN}/negative")
    for _ in range(10):
        rate(rater, "down")
    with backend.statements.counted() as many:
        hedge_fund.get(f"{ADMIN}/negative")
    assert len(many) == len(few) <= 3


def test_learning_from_patterns_is_remembered_once(hedge_fund: httpx.Client, rater: Talker) -> None:
    def result() -> dict[str, Any] | None:
        answer = hedge_fund.post(f"{ADMIN}/run-learning").json()
        assert (answer["job_type"], answer["status"]) == ("feedback_learning_batch", "completed")
        assert answer["errors"] == []
        assert answer["users_processed"] >= 1
        found = (each for each in answer["user_results"] if each["user_id"] == str(rater.id))
        return next(found, None)

    assert result() == {"user_id": str(rater.id), "patterns_found": 1, "rules_created": 1}
    assert result() is None
    [(content, tags)] = rater.memories()
    assert tags["source"] == "pattern_analysis"
    query = {"user_id": str(rater.id)}
    learned = hedge_fund.get(f"{ADMIN}/learned-preferences", params=query).json()
    assert learned["total"] == 1
    assert learned["preferences"] == [
        {
            "memory_id": learned["preferences"][0]["memory_id"],
            "user_id": str(rater.id),
            "content": content,
            "category": "communication_style",
            "source": "pattern_analysis",
            "confidence": tags["confidence"],
            "created_at": learned["preferences"][0]["created_at"],
        }
    ]


def test_preferences_told_by_the_user_are_not_listed_and_odd_tags_do_no_harm(
    hedge_fund: httpx.Client, rater: Talker
) -> None:
    odd = {"source": "feedback_learning", "category": ["a"], "confidence": "high"}
    with rater.client() as client:
        client.post("/api/v1/chat/memories", json={"content": "told"})
        client.post("/api/v1/chat/memories", json={"content": "odd", "tags": odd})
    query = {"user_id": str(rater.id)}
    found = hedge_fund.get(f"{ADMIN}/learned-preferences", params=query).json()["preferences"]
    assert [(each["content"], each["category"], each["confidence"]) for each in found] == [
        ("odd", None, None)
    ]


def test_reprocessing_learns_what_was_missed_and_only_that(
    hedge_fund: httpx.Client, rater: Talker
) -> None:
    answer = hedge_fund.post(f"{ADMIN}/reprocess").json()
    assert (answer["job_type"], answer["status"]) == ("feedback_reprocessing", "completed")
    assert answer["errors"] == []
    assert answer["actions_taken"] >= 2
    assert len(rater.examples()) == 1
    # The three edits say the same, which is learned once.
    assert len(rater.memories()) == 1
    again = hedge_fund.post(f"{ADMIN}/reprocess").json()
    assert again["actions_taken"] == 0
    assert len(rater.examples()) == 1
