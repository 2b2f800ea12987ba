"""Why the engine failed, as the one line that its user can act on."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from pulumi.automation import CommandError

from infra.engine_events import EventRecord, plain_lines
from ops.errors import BusyError, ConfigurationError, DatabaseUnavailableError, SigmaSightError

_Rule = tuple[str, Callable[[str], SigmaSightError], str]

# The first that fits; {0}, {1} are the pattern's groups.
_RULES: Sequence[_Rule] = (
    (
        r"the stack is currently locked by",
        BusyError,
        "another Pulumi command works on this stack; wait until it is done, or, if none runs, "
        "free it by `sigmasight pulumi cancel --yes`",
    ),
    (
        r"incorrect passphrase",
        ConfigurationError,
        "the passphrase does not open this stack; set PULUMI_CONFIG_PASSPHRASE to the one that it "
        "was made with",
    ),
    (
        r"passphrase must be set",
        ConfigurationError,
        "the stack needs its passphrase; set PULUMI_CONFIG_PASSPHRASE",
    ),
    (
        r"(?:no resource plugin|failed to (?:load|install|download) (?:resource )?plugin|"
        r"[Cc]ould not (?:find|download|install) (?:the )?plugin|plugin for the)\D*?"
        r"'?(?:pulumi-resource-)?([a-z][a-z0-9-]*?)(?:-v| \[?resource\]? ?|[- ])?(\d[\d.]*)?'?\b",
        ConfigurationError,
        "the Pulumi plugin {0} is missing and could not be fetched; install it with "
        "`pulumi plugin install resource {0} {1}`",
    ),
    (
        r"(?:Cannot connect to the Docker daemon|docker\.sock|error during connect|"
        r"Docker daemon is not running|failed to connect to any docker daemon|ping.*docker)",
        ConfigurationError,
        "no Docker daemon answers; start Docker, or set DOCKER_HOST to where it runs",
    ),
    (
        r"Unable to read Docker image into resource:? ?([^\n]*)",
        ConfigurationError,
        "an image of the stack is not there and cannot be pulled ({0}); see that the daemon "
        "reaches its registry, or name another by `sigmasight pulumi config set "
        "sigmasight:databaseImage IMAGE`, or `sigmasight:backendImage IMAGE`",
    ),
    (
        r"(?:(?:Bind for|listen tcp\d?) \S*?:(\d+)\b.*?)?"
        r"(?:port is already allocated|address already in use)",
        ConfigurationError,
        "a port of the stack is in use already ({0}); free it, or configure another",
    ),
    (
        r"container name \"?/?([\w.-]+)\"? is already in use",
        ConfigurationError,
        "a container {0} that the stack does not know is in the way, perhaps of a run that was "
        "killed; remove it by `docker rm -f {0}` and run the command again (volumes stay)",
    ),
    (
        r"failed to be in healthy state",
        ConfigurationError,
        "a container did not become healthy; `docker ps -a` names it, `docker logs NAME` says why",
    ),
    (
        r"resource \"?[^\" ]*::([\w-]+)\"?.*cannot be deleted|"
        r"[Pp]rotect(?:ed)?.*::([\w-]+)",
        ConfigurationError,
        "{0} is protected and was not removed; the old database goes by `sigmasight cleanup`, the "
        "whole stack after `sigmasight pulumi config set sigmasight:protect false` and an `up`",
    ),
)


@contextmanager
def explained(record: EventRecord) -> Iterator[None]:
    """Turn a failure of the command line into one line.

    Raises:
        BusyError: the stack is locked.
        DatabaseUnavailableError: a server did not start.
        ConfigurationError: anything else.
    """
    try:
        yield
    except CommandError as error:
        raise failure([*record.errors, *_error_lines(str(error))]) from None


def failure(lines: Sequence[str]) -> SigmaSightError:
    """The error that says best what to do about these lines, the most telling first."""
    text = "\n".join(lines)
    for pattern, kind, advice in _RULES:
        if found := re.search(pattern, text):
            groups = [group for group in found.groups() if group]
            return kind(advice.format(*groups, "", "").replace(" ()", "").replace(" `", " `"))
    said = _own_words(lines[0]) if lines else "it gave no reason"
    if "embedded server" in said and "does not start" in said:
        return DatabaseUnavailableError(said)
    return ConfigurationError(said)


def _own_words(line: str) -> str:
    """What our provider or program said, without what the engine puts before it; what it advises
    to set is set on the stacks of this folder."""
    for prefix in ("Exception calling application: ", "error: "):
        line = line.rpartition(prefix)[2]
    return line.replace("`pulumi config set ", "`sigmasight pulumi config set ")


def _error_lines(text: str) -> list[str]:
    lines = [line.removeprefix("stderr: ") for line in plain_lines(text)]
    return [line.removeprefix("error: ") for line in lines if line.startswith("error:")] or lines
