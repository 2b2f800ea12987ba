"""A server that speaks the part of Railway's GraphQL API that docs/decisions/0019 cites: any other
field, argument or type is refused."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from graphql import GraphQLError, build_schema, graphql_sync

from tests.integration.verify_http.tiny_server import Chunks, Request, json_reply, reply, serving

TOKEN = "canary-token-of-the-project"
PROJECT, ENVIRONMENT = "project-1", "environment-1"
PAGE = 2

SCHEMA = build_schema("""
scalar EnvironmentVariables

type Query {
  environment(id: String!, projectId: String): Environment!
  tcpProxies(environmentId: String!, serviceId: String!): [TCPProxy!]!
  deployment(id: String!): Deployment!
}
type Mutation {
  serviceCreate(input: ServiceCreateInput!): Service!
  serviceDelete(environmentId: String, id: String!): Boolean!
  volumeCreate(input: VolumeCreateInput!): Volume!
  volumeDelete(volumeId: String!): Boolean!
  tcpProxyCreate(input: TCPProxyCreateInput!): TCPProxy!
  variableCollectionUpsert(input: VariableCollectionUpsertInput!): Boolean!
  serviceInstanceUpdate(
    environmentId: String, serviceId: String!, input: ServiceInstanceUpdateInput!): Boolean!
  serviceInstanceDeployV2(environmentId: String!, serviceId: String!): String!
  deploymentStop(id: String!): Boolean!
}
type Environment {
  projectId: String!
  serviceInstances(after: String): ServiceInstances!
  volumeInstances(after: String): VolumeInstances!
}
type ServiceInstances { edges: [ServiceInstanceEdge!]! pageInfo: PageInfo! }
type ServiceInstanceEdge { node: ServiceInstance! }
type ServiceInstance { serviceId: String! serviceName: String! latestDeployment: Deployment }
type VolumeInstances { edges: [VolumeInstanceEdge!]! pageInfo: PageInfo! }
type VolumeInstanceEdge { node: VolumeInstance! }
type VolumeInstance {
  serviceId: String isPendingDeletion: Boolean! volume: Volume!
}
type PageInfo { hasNextPage: Boolean! endCursor: String }
type Service { id: ID! }
type Volume { id: ID! name: String! }
type TCPProxy { domain: String! proxyPort: Int! applicationPort: Int! }
type Deployment { id: ID! status: DeploymentStatus! }
enum DeploymentStatus {
  BUILDING CRASHED DEPLOYING FAILED INITIALIZING NEEDS_APPROVAL QUEUED REMOVED REMOVING SKIPPED
  SLEEPING SUCCESS WAITING
}
input ServiceCreateInput { projectId: String! environmentId: String name: String }
input VolumeCreateInput {
  projectId: String! environmentId: String serviceId: String mountPath: String!
}
input TCPProxyCreateInput { environmentId: String! serviceId: String! applicationPort: Int! }
input VariableCollectionUpsertInput {
  projectId: String! environmentId: String! serviceId: String variables: EnvironmentVariables!
  skipDeploys: Boolean
}
input ServiceInstanceUpdateInput {
  source: ServiceSourceInput preDeployCommand: [String!] startCommand: String
  healthcheckPath: String healthcheckTimeout: Int drainingSeconds: Int
  restartPolicyType: RestartPolicyType restartPolicyMaxRetries: Int
}
enum RestartPolicyType { ALWAYS NEVER ON_FAILURE }
input ServiceSourceInput { image: String }
""")

Answer = Callable[[], Chunks]


@dataclass
class Railway:
    """The platform of a test.

    Attributes:
        changes: the mutations that were carried out, in their order.
        deploys: what each next deployment's status is, one for each look; then SUCCESS.
        failures: by the name of an operation's field, what is answered in its place, once each.
        places: where a service's port is reached from outside, by the service's name.
        lost: fields whose answers never arrive, once each, though they are carried out.
    """

    services: dict[str, dict[str, Any]] = field(default_factory=dict)
    volumes: dict[str, dict[str, Any]] = field(default_factory=dict)
    changes: list[tuple[str, str]] = field(default_factory=list)
    deploys: list[str] = field(default_factory=list)
    failures: dict[str, list[Answer]] = field(default_factory=dict)
    places: dict[str, tuple[str, int]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    address: str = ""
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def behave(self, request: Request) -> Chunks:
        """Answer one request."""
        given = request.headers.get("project-access-token") or request.token
        if given != TOKEN:
            yield json_reply(200, {"errors": [{"message": "Project Token not found"}]})
            return
        body = json.loads(request.body)
        for name, answers in self.failures.items():
            if name in body["query"] and answers:
                yield from answers.pop(0)()
                return
        done = graphql_sync(
            SCHEMA, body["query"], root_value=self, variable_values=body["variables"]
        )
        for name in [name for name in self.lost if name in body["query"]]:
            self.lost.remove(name)
            return
        yield json_reply(200, done.formatted)

    def named(self, name: str) -> dict[str, Any]:
        """The service of a name."""
        (found,) = (each for each in self.services.values() if each["serviceName"] == name)
        return found

    def add_service(self, name: str) -> dict[str, Any]:
        """A service that nobody here made, with a volume."""
        service = self._service(name)
        self._volume(service["serviceId"], "/data")
        return service

    def environment(self, _info: Any, id: str, projectId: str | None = None) -> Any:
        if (id, projectId) != (ENVIRONMENT, PROJECT):
            raise GraphQLError("Not Authorized")
        services, volumes = self.services, self.volumes
        return {
            "projectId": PROJECT,
            "serviceInstances": lambda _info, after=None: _page(services, after),
            "volumeInstances": lambda _info, after=None: _page(volumes, after),
        }

    def tcpProxies(self, _info: Any, environmentId: str, serviceId: str) -> Any:
        return self.services[serviceId]["proxies"]

    def deployment(self, _info: Any, id: str) -> Any:
        (found,) = (
            each["latestDeployment"]
            for each in self.services.values()
            if each["latestDeployment"] and each["latestDeployment"]["id"] == id
        )
        found["status"] = self.deploys.pop(0) if self.deploys else "SUCCESS"
        return found

    def serviceCreate(self, _info: Any, input: Mapping[str, Any]) -> Any:
        if any(each["serviceName"] == input["name"] for each in self.services.values()):
            raise GraphQLError("a service of this name exists")
        self.changes.append(("serviceCreate", input["name"]))
        return {"id": self._service(input["name"])["serviceId"]}

    def serviceDelete(self, _info: Any, id: str, environmentId: str) -> bool:
        self.changes.append(("serviceDelete", self.services.pop(id)["serviceName"]))
        return True

    def volumeCreate(self, _info: Any, input: Mapping[str, Any]) -> Any:
        if any(each["serviceId"] == input["serviceId"] for each in self.volumes.values()):
            raise GraphQLError("a service has one volume")
        self._note("volumeCreate", input["serviceId"])
        return self._volume(input["serviceId"], input["mountPath"])["volume"]

    def volumeDelete(self, _info: Any, volumeId: str) -> bool:
        self.changes.append(("volumeDelete", volumeId))
        del self.volumes[volumeId]
        return True

    def tcpProxyCreate(self, _info: Any, input: Mapping[str, Any]) -> Any:
        self._note("tcpProxyCreate", input["serviceId"])
        service = self.services[input["serviceId"]]
        domain, port = self.places.get(service["serviceName"], ("a.proxy.rlwy.net", 15140))
        proxy = {"domain": domain, "proxyPort": port, "applicationPort": input["applicationPort"]}
        service["proxies"].append(proxy)
        return proxy

    def variableCollectionUpsert(self, _info: Any, input: Mapping[str, Any]) -> bool:
        assert input["skipDeploys"], "each variable would be a deployment"
        self._note("variableCollectionUpsert", input["serviceId"])
        self.services[input["serviceId"]]["variables"] |= input["variables"]
        return True

    def serviceInstanceUpdate(
        self, _info: Any, serviceId: str, environmentId: str, input: Mapping[str, Any]
    ) -> bool:
        self._note("serviceInstanceUpdate", serviceId)
        self.services[serviceId]["settings"] |= input
        return True

    def serviceInstanceDeployV2(self, _info: Any, serviceId: str, environmentId: str) -> str:
        self._note("serviceInstanceDeployV2", serviceId)
        made = {"id": f"deployment-{next(self._numbers)}", "status": "BUILDING"}
        self.services[serviceId]["latestDeployment"] = made
        return made["id"]

    def deploymentStop(self, _info: Any, id: str) -> bool:
        self.changes.append(("deploymentStop", id))
        for each in self.services.values():
            if each["latestDeployment"] and each["latestDeployment"]["id"] == id:
                each["latestDeployment"]["status"] = "REMOVED"
        return True

    def _note(self, what: str, service: str) -> None:
        self.changes.append((what, self.services[service]["serviceName"]))

    def _service(self, name: str) -> dict[str, Any]:
        id_ = f"service-{next(self._numbers)}"
        made = {"serviceId": id_, "serviceName": name, "latestDeployment": None}
        self.services[id_] = {**made, "variables": {}, "settings": {}, "proxies": []}
        return self.services[id_]

    def _volume(self, service: str, path: str) -> dict[str, Any]:
        id_ = f"volume-{next(self._numbers)}"
        volume = {"id": id_, "name": f"{id_}-name"}
        made = {"serviceId": service, "mountPath": path, "isPendingDeletion": False}
        self.volumes[id_] = {**made, "volume": volume}
        return self.volumes[id_]


def _page(nodes: Mapping[str, Any], after: str | None) -> Any:
    """Small pages, so that whoever does not turn them misses something."""
    ids = list(nodes)
    start = ids.index(after) + 1 if after else 0
    shown = ids[start : start + PAGE]
    more = start + PAGE < len(ids)
    page = {"hasNextPage": more, "endCursor": shown[-1] if shown else None}
    return {"edges": [{"node": nodes[id_]} for id_ in shown], "pageInfo": page}


def limited(seconds: str | None) -> Answer:
    """The limit of requests, as 429 with Retry-After."""
    headers = [f"Retry-After: {seconds}"] if seconds else []
    return lambda: iter([reply(429, b'{"data": null}', "application/json", *headers)])


def answered(status: int, payload: Any) -> Answer:
    """A payload as it is."""
    return lambda: iter([json_reply(status, payload)])


def silent(seconds: float) -> Answer:
    """No answer for a while."""

    def wait() -> Chunks:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:  # the end of the server is seen between two
            time.sleep(0.05)
            yield b""

    return wait


@contextmanager
def railway() -> Iterator[Railway]:
    """The platform, served on a loopback address."""
    platform = Railway()
    with serving(platform.behave) as address:
        platform.address = address
        yield platform
