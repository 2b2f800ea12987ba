"""What a command says of a backend that is not ready."""

import json
from typing import Any

import pytest

from ops.backend.not_ready import in_the_way
from ops.http_answer import PAIR_HEADER, HttpAnswer

LOOK = "does not answer it: look at its address and log"


def state(status: str, revision: str | None = None, **more: str) -> dict[str, Any]:
    return {"status": status, "revision": revision, "head": "0002", **more}


def both(pair: str, core: dict[str, Any], ai: dict[str, Any]) -> HttpAnswer:
    return answer({"databases": {"core": core, "ai": ai}}, **{PAIR_HEADER: pair})


def answer(document: Any, status: int = 503, **headers: str) -> HttpAnswer:
    return HttpAnswer(status, headers, json.dumps(document).encode())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (both("new", state("unreachable"), state("ok")), f"its core database {LOOK}"),
        (both("old", state("unreachable"), state("unreachable")), f"its old database {LOOK}"),
        (
            both("new", state("behind", "0001"), state("behind")),
            "its core database is at 0001, not 0002: run `sigmasight migrate`, or redeploy it, if "
            "it is of another version; its ai database is at no revision, not 0002: run "
            "`sigmasight migrate`, or redeploy it, if it is of another version",
        ),
        (
            both("new", state("legacy", "k8l9"), state("ok")),
            "its core database is an old one, at k8l9: correct its address",
        ),
        (
            both("old", *2 * [state("incomplete", reason="no users is found on the path")]),
            "its old database: no users is found on the path; set LEGACY_SCHEMA to the schema "
            "where that is, or correct its address",
        ),
        (
            answer({"detail": "Which database serves is not known; try again"}),
            "Core does not say which pair serves, and the old database does not answer, or is "
            "locked though Core knows no swap",
        ),
        (answer([], 404), "/ready answers 404"),
    ],
)
def test_what_is_in_its_way_is_named(said: HttpAnswer, words: str) -> None:
    assert in_the_way(said) == words
