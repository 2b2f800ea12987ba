"""A client of Railway's public GraphQL API: what went wrong is one line, without what it was told
in confidence."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx

from infra.railway import operations
from infra.stack_config import PROJECT
from ops.errors import BusyError, ConfigurationError, DatabaseUnavailableError, SigmaSightError

ENDPOINT = "https://backboard.railway.com/graphql/v2"
ANSWER_SECONDS = 60.0
# How long a limit of requests is waited for, and a deployment.
LIMIT_SECONDS = 60.0
DEPLOY_SECONDS = 1200.0
LOOK_SECONDS = 5.0
RUNNING = ("SUCCESS", "SLEEPING")
_OVER = ("FAILED", "CRASHED", "REMOVED", "REMOVING", "SKIPPED", "NEEDS_APPROVAL")
# A project's token and an account's or workspace's, as Railway's own command line takes them.
_TOKENS = {
    "RAILWAY_TOKEN": ("Project-Access-Token", "{}"),
    "RAILWAY_API_TOKEN": ("Authorization", "Bearer {}"),
}


@dataclass(frozen=True)
class RailwayApi:
    """One environment of a Railway project.

    The token is read from the process's environment when it is needed and kept nowhere.

    Attributes:
        project, environment: their ids.
    """

    project: str
    environment: str

    @property
    def place(self) -> dict[str, str]:
        """Project and environment as an input of a mutation names them."""
        return {"projectId": self.project, "environmentId": self.environment}

    def services(self) -> list[dict[str, Any]]:
        """The services of the environment: `serviceId`, `serviceName`, `latestDeployment`."""
        return self._pages(operations.SERVICES, "serviceInstances")

    def service(self, name: str) -> dict[str, Any] | None:
        """The service of a name, if there is one.

        Raises:
            ConfigurationError: more than one has it.
        """
        found = [each for each in self.services() if each["serviceName"] == name]
        if len(found) > 1:
            raise ConfigurationError(f"Railway has {len(found)} services {name}; rename one")
        return found[0] if found else None

    def volume(self, service: str) -> dict[str, Any] | None:
        """The volume that is attached to a service, if any: `id`, `name`."""
        for each in self._pages(operations.VOLUMES, "volumeInstances"):
            if each["serviceId"] == service and not each["isPendingDeletion"]:
                found: dict[str, Any] = each["volume"]
                return found
        return None

    def proxies(self, service: str) -> list[dict[str, Any]]:
        """Where a service is reached from outside: `domain`, `proxyPort`, `applicationPort`."""
        found: list[dict[str, Any]] = self.ask(
            operations.PROXIES, environment=self.environment, service=service
        )
        return found

    def delete(self, service: str, *, with_volume: bool) -> None:
        """Delete a service. The volume goes first: by a service that is gone nobody finds it."""
        if with_volume and (volume := self.volume(service)) is not None:
            self.ask(operations.DELETE_VOLUME, volume=volume["id"])
        self.ask(operations.DELETE_SERVICE, environment=self.environment, service=service)

    def await_running(self, name: str, deployment: str) -> None:
        """Wait until a deployment serves: where it has a health check, until that has passed.

        Raises:
            ConfigurationError: it failed, or takes too long; the one before it goes on serving.
        """
        deadline = time.monotonic() + DEPLOY_SECONDS
        while True:
            status = self.ask(operations.DEPLOYMENT, deployment=deployment)["status"]
            if status in RUNNING:
                return
            if status in _OVER or time.monotonic() > deadline:
                raise ConfigurationError(
                    f"the deployment {deployment} of {name} is {status} and does not serve; read "
                    "its log on Railway, correct the cause and run the same command again"
                )
            time.sleep(LOOK_SECONDS)

    def ask(self, operation: str, hidden: Iterable[str] = (), **variables: Any) -> Any:
        """What the one field of an operation answers.

        Args:
            hidden: values that no message may repeat.

        Raises:
            BusyError: the token's limit of requests is used up.
            DatabaseUnavailableError: no answer; a change may have been made all the same.
            ConfigurationError: Railway refuses, wholly or in part.
        """
        header, token = _token()
        response = self._sent(header, {"query": operation, "variables": variables})
        try:
            answer = response.json()
            errors, data = answer.get("errors"), answer.get("data")
        except (ValueError, AttributeError):
            errors, data = None, None
        if errors:
            raise _refusal(str(errors[0].get("message")), [token, *hidden])
        if response.status_code != 200 or not data:
            raise DatabaseUnavailableError(
                f"Railway answered HTTP {response.status_code} without a result; run the same "
                "command again"
            )
        (found,) = data.values()
        return found

    def _pages(self, operation: str, field: str) -> list[dict[str, Any]]:
        nodes: list[dict[str, Any]] = []
        after: str | None = None
        place = {"project": self.project, "environment": self.environment}
        while True:
            environment = self.ask(operation, **place, after=after)
            if environment["projectId"] != self.project:
                raise ConfigurationError(
                    f"the environment {self.environment} is of another Railway project; correct "
                    f"`pulumi config set {PROJECT}:railwayEnvironment`"
                )
            page = environment[field]
            nodes += [edge["node"] for edge in page["edges"]]
            if not page["pageInfo"]["hasNextPage"]:
                return nodes
            after = page["pageInfo"]["endCursor"]

    def _sent(self, header: dict[str, str], body: dict[str, Any]) -> httpx.Response:
        deadline = time.monotonic() + LIMIT_SECONDS
        while True:
            try:
                endpoint = os.environ.get("RAILWAY_API_URL", ENDPOINT)
                response = httpx.post(endpoint, headers=header, json=body, timeout=ANSWER_SECONDS)
            except httpx.HTTPError as error:
                raise DatabaseUnavailableError(
                    f"Railway did not answer ({type(error).__name__}); run the same command again, "
                    "which finds by its name what was made"
                ) from None
            if response.status_code != 429:
                return response
            given = response.headers.get("Retry-After", "")
            seconds = int(given) if given.isdecimal() else LIMIT_SECONDS
            if time.monotonic() + seconds > deadline:
                raise BusyError(
                    f"Railway takes no more requests of this token for {seconds:.0f} s; run the "
                    "same command again then"
                )
            time.sleep(seconds)


def _token() -> tuple[dict[str, str], str]:
    given = {name: os.environ[name].strip() for name in _TOKENS if os.environ.get(name)}
    if len(given) != 1:
        raise ConfigurationError(
            "set one of RAILWAY_TOKEN (a project's) and RAILWAY_API_TOKEN (an account's or "
            f"workspace's) in the environment; {'both are' if given else 'neither is'} set there"
        )
    ((name, token),) = given.items()
    if not (token.isascii() and token.isprintable()):
        raise ConfigurationError(f"{name} is no token; copy it again from Railway")
    header, form = _TOKENS[name]
    return {header: form.format(token)}, token


def _refusal(message: str, hidden: Iterable[str]) -> SigmaSightError:
    """A refusal of a value repeats the value; what is shorter, such as a flag, is no secret."""
    for secret in sorted((each for each in hidden if len(each) > 5), key=len, reverse=True):
        message = message.replace(secret, "…")
    said = " ".join(message.split())[:200]
    if "not authorized" in said.lower() or "not found" in said.lower():
        return ConfigurationError(
            f"Railway says “{said}”: see that the stack's railwayProject and railwayEnvironment "
            "are right, and that the token is theirs and may change them"
        )
    return ConfigurationError(f"Railway refuses: {said}")
