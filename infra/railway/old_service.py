"""The service of the old database, once a cleanup has dropped that."""

from collections.abc import Mapping

from app.database_url import parse_database_url, server_of
from infra.railway.api import RailwayApi
from infra.stack_secrets import OLD_SERVICE

_KEPT = "its service stays, and stays billed: on Railway, delete the service and its volume"


def service_that_goes(configuration: Mapping[str, str]) -> Mapping[str, str]:
    """What `remove_old_service` will delete: the service, and its volume where that goes too, each
    with its id."""
    name = configuration.get(OLD_SERVICE)
    if not name:
        return {}
    api = _api(configuration)
    if (found := api.service(name)) is None:
        return {}
    service = str(found["serviceId"])
    if not _leads_to(configuration, api, name, service):
        return {}
    goes = {f"Railway service {name}": service}
    if _removes_data(configuration) and (volume := api.volume(service)) is not None:
        goes[f"Railway volume {volume['name']}"] = str(volume["id"])
    return goes


def remove_old_service(configuration: Mapping[str, str]) -> tuple[str, ...]:
    """Delete the service that the stack names, if it is the one that the old database's address
    leads to; with removeData its volume too. One that is gone already is no fault.

    Returns what remains for a person to remove, a line each.
    """
    name = configuration.get(OLD_SERVICE)
    if not name:
        return (_KEPT,)
    api = _api(configuration)
    if (found := api.service(name)) is None:
        return ()
    service = str(found["serviceId"])
    if not _leads_to(configuration, api, name, service):
        return (f"{_KEPT} (the old database's address does not lead to {name})",)
    with_volume, volume = _removes_data(configuration), api.volume(service)
    api.delete(service, with_volume=with_volume)
    if with_volume or volume is None:
        return ()
    return (f"its data are in the Railway volume {volume['name']}, which stays billed: delete it",)


def _api(configuration: Mapping[str, str]) -> RailwayApi:
    return RailwayApi(configuration["railwayProject"], configuration["railwayEnvironment"])


def _removes_data(configuration: Mapping[str, str]) -> bool:
    return configuration.get("removeData", "").lower() == "true"


def _leads_to(configuration: Mapping[str, str], api: RailwayApi, name: str, service: str) -> bool:
    servers = {(each["domain"], int(each["proxyPort"])) for each in api.proxies(service)}
    servers |= {(f"{name.lower()}.railway.internal", 5432)}
    keys = ("legacyDatabaseAdminUrl", "legacyDatabaseUrl")
    given = [configuration[key] for key in keys if configuration.get(key)]
    return bool(given) and all(server_of(parse_database_url(url)) in servers for url in given)
