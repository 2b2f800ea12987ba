"""The keys that a stack's configuration may have; a mistyped one would silently do nothing."""

from collections.abc import Iterator
from difflib import get_close_matches

import yaml
from pulumi.runtime.config import CONFIG

from app.chain_folders import PROJECT_ROOT
from infra.stack_config import PROJECT
from infra.stack_secrets import ALL_SECRETS, LEGACY_SCHEMA


def unknown_keys() -> Iterator[str]:
    """A sentence for each key of the stack that nothing reads."""
    settings = yaml.safe_load((PROJECT_ROOT / "Pulumi.yaml").read_text())
    known = [*settings["config"], *ALL_SECRETS, LEGACY_SCHEMA]
    for name in CONFIG.get():
        key = name.removeprefix(f"{PROJECT}:")
        if key in known or key == name:
            continue
        near = get_close_matches(key, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        yield f"the stack's {key} is no setting and does nothing{hint}"
