"""The session's backend with a language model behind it, for one test."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.config import get_settings
from tests.api.llm_server import LlmServer, llm_server

API_KEY = "a key that no answer may show"


@contextmanager
def configured_model(**settings: str) -> Iterator[LlmServer]:
    """An endpoint that the backend asks until the block ends. The settings are read anew for each
    turn; the engines, which were made of older ones, stay."""
    with llm_server() as server, pytest.MonkeyPatch.context() as environment:
        given = {"LLM_BASE_URL": server.url, "LLM_API_KEY": API_KEY, "LLM_MODEL": "first-model"}
        for name, value in {**given, **settings}.items():
            environment.setenv(name, value)
        get_settings.cache_clear()
        try:
            yield server
        finally:
            environment.undo()
            get_settings.cache_clear()
