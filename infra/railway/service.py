"""A service of a Railway project, with its volume, as a resource."""

from collections.abc import Mapping
from typing import Any

from pulumi import Output, ResourceOptions, dynamic

_INPUTS = (
    "project",
    "environment",
    "service",
    "image",
    "variables",
    "settings",
    "mount_path",
    "port",
    "remove_data",
)
_PLACE = ("project", "environment", "service")
LONGEST_NAME = 32


class RailwayServiceProvider(dynamic.ResourceProvider):
    """Makes, deploys, sees and stops one service.

    Pickled into the state of each resource and run elsewhere: so it holds nothing, and imports
    what it uses where it uses it.
    """

    # There is nothing in it to hide; its variables are secret.
    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.CheckResult:
        """Refuse, in a preview too, a name that is too long, and what the token does not open."""
        _api(news).services()
        failures = []
        if len(news["service"]) > LONGEST_NAME:
            reason = f"Railway takes {LONGEST_NAME} characters; give the stack a shorter name"
            failures.append(dynamic.CheckFailure("service", reason))
        return dynamic.CheckResult(news, failures)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        """What was declared differently, and also a deployment that no longer serves."""
        from infra.railway.api import RUNNING

        changed = [key for key in _INPUTS if olds.get(key) != news.get(key)]
        return dynamic.DiffResult(
            changes=bool(changed) or olds.get("status") not in RUNNING,
            replaces=[key for key in _PLACE if key in changed],
        )

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Make the service, or adopt by its name the one that is there, with its data."""
        outputs = _brought_up(props)
        return dynamic.CreateResult(outputs["service_id"], outputs)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        """What is there: whether its latest deployment serves; a deleted service is gone."""
        found = [each for each in _api(props).services() if each["serviceId"] == id_]
        if not found:
            return dynamic.ReadResult("", {})
        status = (found[0]["latestDeployment"] or {}).get("status")
        return dynamic.ReadResult(id_, {**props, "status": status})

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        """Tell the service what is new, and deploy it once."""
        return dynamic.UpdateResult(_brought_up(news))

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Stop the service; it goes with its data only where the stack says removeData."""
        from infra.railway import operations

        api = _api(props)
        if (service := api.service(props["service"])) is None:
            return
        if props["remove_data"]:
            api.delete(service["serviceId"], with_volume=True)
        elif deployment := service["latestDeployment"]:
            api.ask(operations.STOP, deployment=deployment["id"])


def _api(props: Mapping[str, Any]) -> Any:
    from infra.railway.api import RailwayApi

    return RailwayApi(props["project"], props["environment"])


def _brought_up(props: Mapping[str, Any]) -> dict[str, Any]:
    """Each step looks first for what it is to make, so that a run that was killed is finished."""
    from infra.railway import operations

    api = _api(props)
    service = _service(api, props)
    proxy = _attached(api, service, props)
    variables = {**api.place, "serviceId": service, "variables": props["variables"]}
    api.ask(
        operations.SET_VARIABLES,
        hidden=props["variables"].values(),
        input={**variables, "skipDeploys": True},
    )
    # Numbers come back from the engine as floats.
    settings = {
        key: int(value) if isinstance(value, float) else value
        for key, value in props["settings"].items()
    }
    if props["image"]:
        settings["source"] = {"image": props["image"]}
    there = {"environment": api.environment, "service": service}
    if settings:
        api.ask(operations.SET_SETTINGS, **there, input=settings)
    deployment = api.ask(operations.DEPLOY, **there)
    api.await_running(props["service"], deployment)
    found = {"service_id": service, "deployment": deployment, "status": "SUCCESS"}
    return {**{key: props[key] for key in _INPUTS}, **found, **proxy}


def _service(api: Any, props: Mapping[str, Any]) -> str:
    """The id of the service. It is made without a source: with one Railway would deploy it at
    once, before it has its volume."""
    from infra.railway import operations

    if found := api.service(props["service"]):
        return str(found["serviceId"])
    told = {**api.place, "name": props["service"]}
    return str(api.ask(operations.CREATE_SERVICE, input=told)["id"])


def _attached(api: Any, service: str, props: Mapping[str, Any]) -> dict[str, Any]:
    """See that a service with a mount path has its volume, and one with a port its proxy. A proxy
    works from the next deployment on, which follows."""
    from infra.railway import operations

    if props["mount_path"] and api.volume(service) is None:
        told = {**api.place, "serviceId": service, "mountPath": props["mount_path"]}
        api.ask(operations.CREATE_VOLUME, input=told)
    if not (port := int(props["port"])):
        return {"host": "", "proxy_port": 0}
    proxies = [each for each in api.proxies(service) if each["applicationPort"] == port]
    told = {"environmentId": api.environment, "serviceId": service, "applicationPort": port}
    proxy = proxies[0] if proxies else api.ask(operations.CREATE_PROXY, input=told)
    return {"host": proxy["domain"], "proxy_port": proxy["proxyPort"]}


class RailwayService(dynamic.Resource, module="infra", name="RailwayService"):
    """A service as a resource.

    Attributes:
        host, proxy_port: where its port is reached from outside.
        deployment: the id of the deployment that serves.
    """

    host: Output[str]
    proxy_port: Output[int]
    deployment: Output[str]

    def __init__(self, name: str, inputs: Mapping[str, Any], opts: ResourceOptions) -> None:
        """Declare the service.

        Args:
            name: of the resource.
            inputs: `project`, `environment` and `service` say where it is; `image` what it runs
                (empty leaves the source that it has); `variables` are added to those that it has;
                `settings` are a ServiceInstanceUpdateInput; `mount_path` (empty: no volume);
                `port`, which is reached from outside (0: none); `remove_data`.
        """
        declared = {**inputs, "variables": Output.secret(inputs["variables"])}
        computed = dict.fromkeys(("host", "proxy_port", "deployment", "service_id", "status"))
        super().__init__(RailwayServiceProvider(), name, {**declared, **computed}, opts)
