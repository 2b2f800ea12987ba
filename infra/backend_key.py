"""The key that signs the backend's tokens, checked before a backend is started with it."""

from pulumi import Output

from infra.stack_config import PROJECT, StackConfig
from infra.stack_secrets import SECRET_KEY
from ops.errors import ConfigurationError

SHORTEST_KEY = 32


def backend_key(config: StackConfig) -> Output[str]:
    """The stack's secret key; the same for both pairs, so that a login outlives a swap.

    Raises:
        ConfigurationError: it is missing, or so short that the backend would refuse it.
    """
    key = config.secret(SECRET_KEY)
    if len(config.source.get(SECRET_KEY) or "") < SHORTEST_KEY:
        raise ConfigurationError(
            f"the stack's secret {SECRET_KEY} is too short; use {SHORTEST_KEY} or more random "
            f"characters: `pulumi config set --secret {PROJECT}:{SECRET_KEY}`"
        )
    return key
