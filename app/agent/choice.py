"""Which model answers."""

from app.agent.llm.chunks import PROVIDER
from app.agent.llm.endpoint import Endpoint
from app.agent.llm.retrying import RetryingModel
from app.agent.model import Model
from app.agent.rules.responder import RuleBasedResponder
from app.config import get_settings


def model_name() -> str:
    """The name of the model that would be asked first."""
    settings = get_settings()
    return settings.LLM_MODEL if settings.LLM_BASE_URL else RuleBasedResponder.name


def provider_name() -> str:
    """Of what would answer: the protocol of a configured endpoint, or the rule-based responder."""
    return PROVIDER if get_settings().LLM_BASE_URL else RuleBasedResponder.name


def chosen_model() -> Model:
    """A model for one turn: the configured endpoint's, else the rule-based responder."""
    settings = get_settings()
    if not settings.LLM_BASE_URL:
        return RuleBasedResponder()
    endpoint = Endpoint(settings)
    return RetryingModel(endpoint, settings.LLM_MODEL, settings.LLM_FALLBACK_MODEL)
