"""The stack's configuration as typed values. A wrong one is refused by name, before any change."""

from collections.abc import Callable, Collection, Sequence
from contextlib import chdir
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args

import pulumi

from app.chain_folders import PROJECT_ROOT
from infra.topology import Presence, Topology
from ops.books.active_pair import Pair
from ops.books.declared_stack import Target
from ops.errors import ConfigurationError
from ops.settings import OperatorSettings
from ops.state_folder import StateFolder

PROJECT = "sigmasight"
T = TypeVar("T")


def stack_target(name: str) -> Target | None:
    """The target that a stack is named after, if any."""
    return next((target for target in get_args(Target) if target == name), None)


def project_state() -> StateFolder:
    """The state folder of commands in the project's folder, where the engine may not stand."""
    with chdir(PROJECT_ROOT):
        return OperatorSettings().state


@dataclass(frozen=True)
class StackConfig:
    """Reads one value at a time; keys are those of the schema in `Pulumi.yaml`.

    Attributes:
        state: where generated passwords live, and the embedded servers.

    Raises:
        ConfigurationError: a value is missing or cannot be used; secrets are never repeated.
    """

    state: StateFolder = field(default_factory=project_state)
    source: pulumi.Config = field(default_factory=lambda: pulumi.Config(PROJECT))

    def topology(self) -> Topology:
        """Which databases the stack has, and which of them the backend uses."""
        target = self.choice("target", get_args(Target), stack_target(pulumi.get_stack()))
        legacy = self.choice("legacy", get_args(Presence), "present")
        active = self.choice("active", get_args(Pair), "old")
        return Topology(target, legacy, active)

    def choice(self, key: str, allowed: tuple[T, ...], default: T | None = None) -> T:
        """One of a few words."""
        given = self.source.get(key)
        found = default if not given else next((a for a in allowed if a == given), None)
        if found is None:
            words = " or ".join(str(word) for word in allowed)
            raise self._refused(key, f"is {given!r}" if given else "is missing", words)
        return found

    def text(self, key: str, default: str | None = None) -> str:
        """Any text that is not empty."""
        given = self.source.get(key) or default
        if not given:
            raise self._refused(key, "is missing", "a text")
        return given

    def optional_text(self, key: str) -> str | None:
        """A text, or None where there is none."""
        return self.source.get(key) or None

    def integer(self, key: str, default: int, *, least: int = 0) -> int:
        """A whole number, at least `least`."""
        found = self._converted(key, int, default, "a whole number")
        if found < least:
            raise self._refused(key, f"is {found}", f"at least {least}")
        return found

    def port(self, key: str, default: int) -> int:
        """A TCP port."""
        found = self.integer(key, default, least=1)
        if found > 65535:
            raise self._refused(key, f"is {found}", "at most 65535")
        return found

    def replicas(self) -> int:
        """How many backend processes serve."""
        return self.integer("backendReplicas", 2, least=1)

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        return self._converted(key, lambda text: _FLAGS[text.lower()], default, "true or false")

    def secret(self, key: str) -> pulumi.Output[str]:
        """A secret that must be there."""
        if self.source.get(key) is None:
            raise ConfigurationError(
                f"the stack's secret {key} is missing; run "
                f"`pulumi config set --secret {PROJECT}:{key}`"
            )
        return self.source.require_secret(key)

    def optional_secret(self, key: str) -> pulumi.Output[str] | None:
        """A secret, or None where there is none."""
        return self.source.get_secret(key)

    def variables(self, key: str, taken: Collection[str]) -> dict[str, pulumi.Output[str]]:
        """Environment variables, secret where they are; none of those that are `taken`."""
        path = f"`pulumi config {{}} --path '{PROJECT}:{key}.{{}}'{{}}`"
        try:
            given = self.source.get_object(key) or {}
        except pulumi.ConfigTypeError:
            given = None
        if not isinstance(given, dict) or any(isinstance(v, dict | list) for v in given.values()):
            way = path.format("set", "NAME", " VALUE")
            raise ConfigurationError(f"the stack's {key} is no object of texts; set each by {way}")
        if own := sorted(given.keys() & taken):
            way = path.format("rm", own[0], "")
            raise ConfigurationError(f"the stack itself sets {own[0]}; remove yours by {way}")
        secret = self.source.get_secret_object(key)
        return {name: pulumi.Output.all(secret, name).apply(_value) for name in given}

    def _converted(self, key: str, convert: Callable[[str], T], default: T, what: str) -> T:
        given = self.source.get(key)
        if given is None:
            return default
        try:
            return convert(given)
        except (ValueError, KeyError):
            raise self._refused(key, f"is {given!r}", what) from None

    def _refused(self, key: str, found: str, wanted: str) -> ConfigurationError:
        return ConfigurationError(
            f"the stack's {key} {found}; use {wanted}: `pulumi config set {PROJECT}:{key} VALUE`"
        )


_FLAGS = {"true": True, "false": False}


def _value(of: Sequence[Any]) -> str:
    known, name = of
    return str(known[name])
