"""The railway target's provider against a server that speaks the cited part of Railway's API."""

from collections.abc import Iterator
from typing import Any

import pytest

from infra.railway import api
from infra.railway.api import RailwayApi
from infra.railway.old_service import remove_old_service, service_that_goes
from infra.railway.service import RailwayServiceProvider
from ops.errors import BusyError, ConfigurationError, DatabaseUnavailableError, SigmaSightError
from tests.infra.railway_server import (
    ENVIRONMENT,
    PROJECT,
    TOKEN,
    Answer,
    Railway,
    answered,
    limited,
    railway,
    silent,
)

Props = dict[str, Any]
PROVIDER = RailwayServiceProvider()
SECRET = "canary-password"
STEPS = (
    "serviceCreate",
    "volumeCreate",
    "tcpProxyCreate",
    "variableCollectionUpsert",
    "serviceInstanceUpdate",
    "serviceInstanceDeployV2",
)


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[Railway]:
    """The platform, with the token that opens it."""
    with railway() as found:
        monkeypatch.setenv("RAILWAY_API_URL", found.address)
        monkeypatch.setenv("RAILWAY_TOKEN", TOKEN)
        monkeypatch.delenv("RAILWAY_API_TOKEN", raising=False)
        monkeypatch.setattr(api, "LOOK_SECONDS", 0.0)
        yield found


def props(**changed: Any) -> Props:
    """What the engine hands over for Core; numbers come as floats."""
    told = {
        "project": PROJECT,
        "environment": ENVIRONMENT,
        "service": "railway-core",
        "image": "image:17",
        "variables": {"POSTGRES_PASSWORD": SECRET},
        "settings": {"drainingSeconds": 30.0},
        "mount_path": "/data",
        "port": 5432.0,
        "remove_data": False,
    }
    return {**told, **changed}


def created(**changed: Any) -> Props:
    found = PROVIDER.create(props(**changed))
    assert found.outs is not None
    return found.outs


def steps(platform: Railway) -> list[str]:
    return [what for what, _ in platform.changes]


def test_a_service_is_made_told_everything_and_deployed_once(platform: Railway) -> None:
    outputs = created()
    assert steps(platform) == list(STEPS)
    assert (outputs["host"], outputs["proxy_port"]) == ("a.proxy.rlwy.net", 15140)
    service = platform.named("railway-core")
    assert service["variables"] == {"POSTGRES_PASSWORD": SECRET}
    assert service["settings"] == {"drainingSeconds": 30, "source": {"image": "image:17"}}


def test_new_variables_are_one_call_and_one_deployment(platform: Railway) -> None:
    outputs = created()
    platform.changes.clear()
    changed = props(variables={"A": "1", "B": "2"})
    assert PROVIDER.diff("", outputs, props()).changes is False
    assert PROVIDER.diff("", outputs, changed).changes is True
    PROVIDER.update(outputs["service_id"], outputs, changed)
    assert steps(platform) == list(STEPS[3:])


@pytest.mark.parametrize("lost", STEPS)
def test_a_run_whose_answer_is_lost_is_finished_by_the_next(platform: Railway, lost: str) -> None:
    """As if the engine had been killed there: the step was carried out, and nobody knows."""
    for number in range(5):  # three pages
        platform.add_service(f"other-{number}")
    platform.lost.append(lost)
    with pytest.raises(DatabaseUnavailableError, match="finds by its name what was made"):
        created()
    created()
    made = [what for what in steps(platform) if what in STEPS[:3]]
    assert made == list(STEPS[:3]), "nothing was made twice"


def test_a_deleted_service_is_gone_and_a_crashed_one_is_deployed_again(platform: Railway) -> None:
    outputs = created()
    id_ = outputs["service_id"]
    platform.named("railway-core")["latestDeployment"]["status"] = "CRASHED"
    seen = PROVIDER.read(id_, outputs)
    assert seen.outs is not None
    assert PROVIDER.diff(id_, seen.outs, props()).changes is True
    platform.services.clear()
    assert PROVIDER.read(id_, outputs).id == ""


@pytest.mark.parametrize("key", ["project", "environment", "service"])
def test_another_place_is_a_replacement_which_a_protected_service_refuses(
    platform: Railway, key: str
) -> None:
    outputs = created()
    assert PROVIDER.diff("", outputs, props(**{key: "another"})).replaces == [key]


def test_a_service_goes_with_its_data_only_where_that_was_said(platform: Railway) -> None:
    kept = created()
    PROVIDER.delete(kept["service_id"], kept)
    assert platform.changes[-1] == ("deploymentStop", kept["deployment"])
    assert (len(platform.services), len(platform.volumes)) == (1, 1)

    again = created(remove_data=True)
    assert again["service_id"] == kept["service_id"], "what was stopped is adopted"
    PROVIDER.delete(again["service_id"], again)
    assert steps(platform)[-2:] == ["volumeDelete", "serviceDelete"]
    assert (platform.services, platform.volumes) == ({}, {})
    PROVIDER.delete(again["service_id"], again)


FAILURES: list[tuple[str, Answer, type[SigmaSightError], str]] = [
    ("serviceInstances", limited("3600"), BusyError, "no more requests of this token for 3600 s"),
    ("serviceInstances", limited(None), BusyError, "run the same command again then"),
    ("serviceCreate", silent(1.5), DatabaseUnavailableError, "did not answer (ReadTimeout)"),
    ("serviceCreate", answered(502, None), DatabaseUnavailableError, "answered HTTP 502"),
    ("serviceCreate", answered(302, None), DatabaseUnavailableError, "answered HTTP 302"),
    ("serviceCreate", answered(200, {}), DatabaseUnavailableError, "without a result"),
    ("serviceCreate", answered(200, [1]), DatabaseUnavailableError, "without a result"),
    (
        "serviceInstances",
        answered(200, {"errors": [{"message": "Not Authorized"}], "data": None}),
        ConfigurationError,
        "see that the stack's railwayProject and railwayEnvironment are right",
    ),
    (
        "serviceInstances",
        answered(200, {"data": {"environment": {"projectId": "another"}}}),
        ConfigurationError,
        "the environment environment-1 is of another Railway project",
    ),
    (
        "volumeCreate",
        answered(
            200, {"data": {"volumeCreate": {"id": "1"}}, "errors": [{"message": "over\nquota"}]}
        ),
        ConfigurationError,
        "Railway refuses: over quota",
    ),
    (
        "variableCollectionUpsert",
        answered(400, {"errors": [{"message": f"got {SECRET} by {TOKEN}"}]}),
        ConfigurationError,
        "Railway refuses: got … by …",
    ),
]


@pytest.mark.parametrize(("operation", "answer", "kind", "said"), FAILURES)
def test_a_failure_is_one_line_without_token_or_password_and_is_made_up_for(
    platform: Railway, operation: str, answer: Answer, kind: type[SigmaSightError], said: str
) -> None:
    platform.failures[operation] = [answer]
    with pytest.MonkeyPatch.context() as patience:
        if "did not answer" in said:
            patience.setattr(api, "ANSWER_SECONDS", 0.5)
        with pytest.raises(kind) as refusal:
            created()
    platform.failures.clear()
    assert said in str(refusal.value)
    assert not any(word in str(refusal.value) for word in (TOKEN, SECRET, "\n"))
    created()
    assert [what for what in steps(platform) if what == "serviceCreate"] == ["serviceCreate"]


def test_a_short_limit_of_requests_is_waited_for(platform: Railway) -> None:
    platform.failures["serviceCreate"] = [limited("1")]
    assert created()["status"] == "SUCCESS"


@pytest.mark.parametrize("status", ["FAILED", "CRASHED", "SKIPPED", "REMOVED", "NEEDS_APPROVAL"])
def test_a_deployment_that_does_not_serve_is_named(platform: Railway, status: str) -> None:
    platform.deploys = ["QUEUED", "BUILDING", "DEPLOYING", status]
    with pytest.raises(ConfigurationError, match=f"of railway-core is {status} and does not"):
        created()


def test_a_deployment_that_takes_too_long_is_named(
    platform: Railway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "DEPLOY_SECONDS", 0.0)
    platform.deploys = ["BUILDING"] * 3
    with pytest.raises(ConfigurationError, match="is BUILDING and does not serve"):
        created()


REFUSED: list[tuple[dict[str, str], dict[str, str], str]] = [
    ({"RAILWAY_TOKEN": ""}, {}, "set one of RAILWAY_TOKEN (a project's) and"),
    ({"RAILWAY_API_TOKEN": "canary-other"}, {}, "both are set there"),
    ({"RAILWAY_TOKEN": "canary\nHost: elsewhere"}, {}, "RAILWAY_TOKEN is no token"),
    ({"RAILWAY_TOKEN": "canary-wrong"}, {}, "“Project Token not found”"),
    ({}, {"project": "another"}, "“Not Authorized”: see that the stack's railwayProject"),
    ({}, {"environment": "another"}, "“Not Authorized”"),
]


@pytest.mark.parametrize(("environment", "changed", "said"), REFUSED)
def test_a_preview_refuses_a_wrong_token_or_project_in_one_line(
    platform: Railway,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    changed: dict[str, str],
    said: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as refusal:
        PROVIDER.check({}, props(**changed))
    assert said in str(refusal.value)
    assert not any(word in str(refusal.value) for word in ("canary", "\n"))


def test_an_accounts_token_is_given_as_a_bearers(
    platform: Railway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAILWAY_TOKEN")
    monkeypatch.setenv("RAILWAY_API_TOKEN", TOKEN)
    assert RailwayApi(PROJECT, ENVIRONMENT).services() == []


def test_a_name_that_railway_would_not_take_is_refused_in_the_preview(platform: Railway) -> None:
    failures = PROVIDER.check({}, props(service="s" * 33)).failures
    assert [each.reason for each in failures] == [
        "Railway takes 32 characters; give the stack a shorter name"
    ]


def test_two_services_of_one_name_are_not_chosen_from(platform: Railway) -> None:
    for _ in range(2):
        platform.add_service("railway-core")
    with pytest.raises(ConfigurationError, match="has 2 services railway-core"):
        created()


def old_stack(**changed: str) -> dict[str, str]:
    """The configuration of a stack whose old database is a service of the project."""
    told = {"railwayProject": PROJECT, "railwayEnvironment": ENVIRONMENT}
    address = "postgresql://u:canary@old.proxy.rlwy.net:7000/railway"
    return {**told, "railwayLegacyService": "Postgres", "legacyDatabaseUrl": address, **changed}


@pytest.fixture
def old(platform: Railway) -> Railway:
    """The platform with the service of the old database on it."""
    proxy = {"domain": "old.proxy.rlwy.net", "proxyPort": 7000, "applicationPort": 5432}
    platform.add_service("Postgres")["proxies"].append(proxy)
    return platform


PRIVATE = "postgresql://u:canary@postgres.railway.internal/railway"
STAYS = "its service stays, and stays billed: on Railway, delete the service and its volume"


@pytest.mark.parametrize(
    ("changed", "changes", "left"),
    [
        ({}, ["serviceDelete"], "its data are in the Railway volume volume-2-name, which stays"),
        ({"removeData": "true"}, ["volumeDelete", "serviceDelete"], ""),
        ({"legacyDatabaseUrl": PRIVATE}, ["serviceDelete"], "its data are in the Railway volume"),
        ({"railwayLegacyService": ""}, [], STAYS),
        ({"railwayLegacyService": "gone"}, [], ""),
        ({"legacyDatabaseUrl": "postgresql://u:p@elsewhere/d"}, [], f"{STAYS} (the old database's"),
        ({"legacyDatabaseUrl": ""}, [], f"{STAYS} (the old database's"),
    ],
)
def test_a_cleanup_removes_the_old_service_that_the_address_leads_to_and_no_other(
    old: Railway, changed: dict[str, str], changes: list[str], left: str
) -> None:
    goes = service_that_goes(old_stack(**changed))
    assert {f"{name.split()[1]}Delete" for name in goes} == set(changes), "as a plan has shown"
    said = remove_old_service(old_stack(**changed))
    assert steps(old) == changes
    assert " ".join(said).startswith(left)
    assert bool(said) == bool(left)
