"""Which settings are in force, where each comes from, and what in `.env` is none of them."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from pydantic import SecretStr
from pydantic_settings import DotEnvSettingsSource

from app.config import Settings
from app.database_url import parse_database_url
from ops.books.declared_stack import declared
from ops.connection import shown_address
from ops.settings import OperatorSettings

Origin = Literal["environment", ".env", "stack", "default"]
_STACK = {"DATABASE_URL": "core", "AI_DATABASE_URL": "ai", "LEGACY_DATABASE_URL": "legacy"}
_ALIKE = 0.8  # of letters in order: a typo, not another program's key


@dataclass(frozen=True)
class SettingInForce:
    """A setting as it is, without its secret."""

    name: str
    value: str
    origin: Origin


def settings_in_force(settings: OperatorSettings) -> Iterator[SettingInForce]:
    """Every setting of the phases, in the order of their declaration."""
    file, stack = _in_file(), declared(settings.state)
    for name in OperatorSettings.model_fields:
        if name in os.environ or name in file:
            origin: Origin = "environment" if name in os.environ else ".env"
            yield SettingInForce(name, _shown(name, getattr(settings, name)), origin)
        elif url := stack.urls.get(_STACK.get(name, "")):
            yield SettingInForce(name, _shown(name, SecretStr(url)), "stack")
        elif name == "BACKEND_REPLICAS" and stack.replicas:
            yield SettingInForce(name, str(stack.replicas), "stack")
        else:
            yield SettingInForce(name, _shown(name, getattr(settings, name)), "default")


def misspelt_settings() -> Iterator[str]:
    """A line for each key of `.env` that looks like a setting of ours and is none."""
    known = {*OperatorSettings.model_fields, *Settings.model_fields}
    for key in _in_file():
        meant = get_close_matches(key, known - {key}, n=1, cutoff=_ALIKE)
        ours = key.startswith("SIGMA") or key.endswith("DATABASE_URL") or meant
        if key not in known and ours:
            advice = f"; is {meant[0]} meant?" if meant else ""
            yield f"{key} in .env is no setting of this program, and not read{advice}"


def _in_file() -> Mapping[str, str | None]:
    return DotEnvSettingsSource(OperatorSettings).env_vars


def _shown(name: str, value: object) -> str:
    if isinstance(value, SecretStr):
        secret = value.get_secret_value()
        return shown_address(parse_database_url(secret)) if name.endswith("_URL") else "*****"
    if isinstance(value, tuple | list):
        return ":".join(map(str, value)) if name.endswith("FOLDERS") else ",".join(value)
    return "" if value is None else str(value)
