"""A language model that takes its time for users, so that a swap meets open streams."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.api.llm_server import (
    LlmServer,
    Reply,
    called,
    chunk,
    end,
    is_extraction,
    llm_server,
    said,
)
from tests.faults.cutover.load import TALK

_TOOLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("list_user_portfolios", {}),
    ("get_portfolio_complete", {}),
)


class _SlowModel(LlmServer):
    """Users wait four seconds for an answer; whoever tries a backend has it at once, by tools."""

    def take(self, request: dict[str, Any], key: str | None) -> Reply:
        """What a request is answered."""
        *_, last = request["messages"]
        if is_extraction(request):
            return said("[]")
        if TALK in str(last["content"]):
            word: list[Any] = [chunk({"content": "word "}), 0.5]
            return Reply([*word * 8, *end()])
        return said(last["content"]) if last["role"] == "tool" else called(*_TOOLS)


@contextmanager
def slow_model() -> Iterator[dict[str, str]]:
    """What a backend is told of it."""
    with llm_server(_SlowModel()) as model:
        yield {"LLM_BASE_URL": model.url, "LLM_API_KEY": "none", "LLM_MODEL": "slow"}
