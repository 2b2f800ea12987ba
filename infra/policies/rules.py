"""The rules of the pack as pure functions of one declared resource.

They import nothing but the standard library, because the pack runs in an environment of its own.
Property names are the engine's (camelCase). What a rule cannot know yet (an output that is
unknown at preview, an option that the policy engine does not hand on) is None and passes.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CONTAINER = "docker:index/container:Container"
VOLUME = "docker:index/volume:Volume"
REMOTE_IMAGE = "docker:index/remoteImage:RemoteImage"
BUILT_IMAGE = "docker:index/image:Image"

_PINNED = re.compile(r"^(.+@)?sha256:[0-9a-f]{64}$")
_SECRET_NAME = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|CREDENTIAL", re.IGNORECASE)
_URL_WITH_PASSWORD = re.compile(r"://[^/@\s:]*:[^/@\s]+@")
_EVERYWHERE = frozenset({"", "0.0.0.0", "::", "[::]"})
_UNITS = {"": 1 / 1024, "kb": 1 / 1024, "mb": 1, "gb": 1024, "tb": 1024 * 1024}
_SHM_OF_DOCKER = 64  # megabytes, where nothing is said


@dataclass(frozen=True)
class Declared:
    """A resource as the program declares it.

    Attributes:
        secrets_visible: whether `properties` tells secrets (as `Hidden`) from plain values.
        retain_on_delete: None where the policy engine does not say.
    """

    type: str
    name: str
    properties: Mapping[str, Any]
    protect: bool
    retain_on_delete: bool | None = None
    secrets_visible: bool = False


@dataclass(frozen=True)
class Hidden:
    """A value that the program marked as secret."""

    value: Any


@dataclass(frozen=True)
class Allowances:
    """What the stack's configuration permits."""

    local_image: bool = False
    public_ports: bool = False


@dataclass(frozen=True)
class Rule:
    """A rule with its name and the reason for it.

    Attributes:
        violations: yields one line per violation; nothing where the resource keeps the rule.
    """

    name: str
    description: str
    violations: Callable[[Declared, Allowances], Iterator[str]]


def is_pinned(image: str) -> bool:
    """Whether an image's name says exactly which one: by digest, or as a local image id."""
    return _PINNED.match(image) is not None


def _volume_protected(resource: Declared, _allowed: Allowances) -> Iterator[str]:
    if resource.type == VOLUME and not resource.protect:
        yield f"volume {resource.name} is not protected: a destroy would take its data"


def _volume_retained(resource: Declared, _allowed: Allowances) -> Iterator[str]:
    if resource.type == VOLUME and resource.retain_on_delete is False:
        yield f"volume {resource.name} is not retained: lifting its protection loses its data"


def _health_checked(resource: Declared, _allowed: Allowances) -> Iterator[str]:
    if resource.type != CONTAINER:
        return
    check = _plain(resource.properties.get("healthcheck"))
    tests = _plain(check.get("tests")) if isinstance(check, Mapping) else None
    if not tests or list(tests) == ["NONE"]:
        yield f"container {resource.name} has no health check"


def _ports_closed(resource: Declared, allowed: Allowances) -> Iterator[str]:
    if resource.type != CONTAINER or allowed.public_ports:
        return
    for port in _listed(resource.properties.get("ports")):
        address = _plain(port.get("ip"))
        if address is None or address in _EVERYWHERE:
            yield (
                f"container {resource.name} publishes port {_plain(port.get('internal'))} on every "
                "address; bind it to one, or set allowPublicPorts"
            )
    if _plain(resource.properties.get("publishAllPorts")):
        yield f"container {resource.name} publishes all ports on every address"


def _image_pinned(resource: Declared, allowed: Allowances) -> Iterator[str]:
    if allowed.local_image:
        return
    for image in _images(resource):
        if not is_pinned(image):
            yield (
                f"{resource.name} uses image {image!r} without a digest; write NAME@sha256:…, "
                "or set allowLocalImage for a tag of this machine"
            )


def _images(resource: Declared) -> Iterator[str]:
    """The names under which other people's images come in."""
    properties = resource.properties
    found: list[Any] = []
    if resource.type == CONTAINER:
        found.append(_plain(properties.get("image")))
    elif resource.type == REMOTE_IMAGE:
        found.append(_plain(properties.get("name")))
    elif resource.type == BUILT_IMAGE:
        build = _plain(properties.get("build")) or {}
        arguments = _plain(build.get("args")) or {}
        found += [_plain(value) for name, value in arguments.items() if name.endswith("IMAGE")]
    yield from (image for image in found if isinstance(image, str))


def _no_plain_secret(resource: Declared, _allowed: Allowances) -> Iterator[str]:
    declared = resource.properties.get("envs")
    if resource.type != CONTAINER or not resource.secrets_visible or isinstance(declared, Hidden):
        return
    for entry in _listed(declared):
        name, _, value = str(_plain(entry)).partition("=")
        if not isinstance(entry, Hidden) and _sounds_secret(name, value):
            # The value is not repeated: this line goes to logs.
            yield f"container {resource.name} has {name} in its plain environment"


def _sounds_secret(name: str, value: str) -> bool:
    if name.upper().endswith("_FILE"):
        return False
    return bool(_SECRET_NAME.search(name) or _URL_WITH_PASSWORD.search(value))


def _no_password_in_database_env(resource: Declared, _allowed: Allowances) -> Iterator[str]:
    if resource.type != CONTAINER or not _is_database(resource):
        return
    for entry in _listed(resource.properties.get("envs")):
        name, _, value = str(_plain(entry)).partition("=")
        if _sounds_secret(name, value):
            yield (
                f"container {resource.name} gets {name} in its environment, which anyone who may "
                f"inspect it reads; upload a file and give {name}_FILE"
            )


def _is_database(resource: Declared) -> bool:
    labels = _listed(resource.properties.get("labels"))
    return any(
        _plain(label.get("label")) == "sigmasight.role" and _plain(label.get("value")) == "database"
        for label in labels
    )


def _shm_holds_index_build(resource: Declared, _allowed: Allowances) -> Iterator[str]:
    if resource.type != CONTAINER:
        return
    memory = _maintenance_work_mem(_listed(resource.properties.get("command")))
    shm = _plain(resource.properties.get("shmSize"))
    size = _SHM_OF_DOCKER if shm is None else shm
    if memory is not None and size < memory:
        yield (
            f"container {resource.name} has {size:g} MB of shared memory, less than its "
            f"maintenance_work_mem of {memory:g} MB: parallel index builds would fail"
        )


def _maintenance_work_mem(command: Sequence[Any]) -> float | None:
    """In megabytes; None where the command does not set it. A number alone means kilobytes."""
    for part in command:
        found = re.fullmatch(
            r"(?:--|-c\s*)?maintenance[_-]work[_-]mem=(\d+)\s*([a-z]*)", str(_plain(part)), re.I
        )
        if found and found[2].lower() in _UNITS:
            return int(found[1]) * _UNITS[found[2].lower()]
    return None


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Hidden) else value


def _listed(value: Any) -> list[Any]:
    found = _plain(value)
    return list(found) if isinstance(found, Sequence) and not isinstance(found, str) else []


RULES: tuple[Rule, ...] = (
    Rule("volumes-protected", "Volumes cannot be destroyed by accident.", _volume_protected),
    Rule("volumes-retained", "Volumes outlive their stack.", _volume_retained),
    Rule("health-checked", "Every container says whether it works.", _health_checked),
    Rule("ports-closed", "Ports are not open to the world unless allowed.", _ports_closed),
    Rule("images-pinned", "Images are named by digest unless allowed.", _image_pinned),
    Rule("no-plain-secret", "No secret stands in a plain environment.", _no_plain_secret),
    Rule(
        "database-password-in-file",
        "Databases read their password from a file.",
        _no_password_in_database_env,
    ),
    Rule(
        "shm-holds-index-build",
        "Shared memory holds a parallel index build.",
        _shm_holds_index_build,
    ),
)


def violations(resource: Declared, allowed: Allowances) -> list[str]:
    """Every violation of every rule by one resource."""
    return [line for rule in RULES for line in rule.violations(resource, allowed)]
