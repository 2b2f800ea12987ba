"""The session's backend with a language model behind it, for one test."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.config import Settings, get_settings
from tests.api.llm_server import LlmServer, llm_server

API_KEY = "a key that no answer may show"


@contextmanager
def configured_model(**settings: str) -> Iterator[LlmServer]:
    """An endpoint that the backend asks until the block ends. Its settings are looked at anew for
    each turn."""
    with llm_server() as server, pytest.MonkeyPatch.context() as patch:
        given = {"LLM_BASE_URL": server.url, "LLM_API_KEY": API_KEY, "LLM_MODEL": "first-model"}
        given |= settings
        current = get_settings()
        told = Settings.model_validate({**current.model_dump(), **given})
        for name in given:
            patch.setattr(current, name, getattr(told, name))
        yield server
