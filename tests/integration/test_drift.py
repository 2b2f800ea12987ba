"""Drift names every way in which a database differs from what its chain builds."""

from collections.abc import Iterable

import pytest
from sqlalchemy.engine import URL

from app.chain_folders import ChainName
from ops.connection import connect
from ops.drift import Difference, drift
from ops.drift.models import model_differences
from ops.drift.reference import build_reference, load_reference, main, reference_text
from ops.embedded.server import EmbeddedServer, free_port, loopback_url
from ops.errors import DatabaseUnavailableError
from ops.migrate import upgrade
from ops.plan_figures import FIRST_DAY, LAST_DAY
from ops.verify import Subject
from ops.verify.schemas import schema
from tests.databases import NewDatabase, create_database
from tests.groups import soaked
from tests.integration.drift_damages import DAMAGES, TOGETHER, Damage

CHAINS: list[ChainName] = ["core", "ai"]
DAYS = (FIRST_DAY, LAST_DAY)
WARNINGS = {"redundant index", "redundant constraint", "extension version", "unexpected extension"}


@pytest.mark.parametrize("labels", [*TOGETHER, *soaked(*(((label,),) for label in DAMAGES))])
def test_names_the_damage_and_falls_silent_when_it_is_undone_or_the_advice_is_taken(
    labels: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    damages = [DAMAGES[label] for label in labels]
    chain = damages[0].chain
    url: URL = request.getfixturevalue(f"{chain}_url")
    for damage in damages:
        _run(url, damage.do)
    found = drift(url, chain)
    _assert_names(found, _named_by(damages))
    for damage in damages:
        assert any(damage.says in each.message for each in found), damage.says
        _run(url, damage.undo)
    _assert_names(drift(url, chain), _named_by([each for each in damages if not each.undo]))
    _take_the_advice(url, chain)
    assert drift(url, chain) == []


def _named_by(damages: Iterable[Damage]) -> set[tuple[str, str]]:
    return {name for damage in damages for name in damage.names}


def _take_the_advice(url: URL, chain: ChainName) -> None:
    """Twice: of a virtual column it first says that it is to go, then that it is missing."""
    for _ in range(2):
        for each in drift(url, chain):
            _run(url, each.message.partition("run: ")[2])


def _assert_names(differences: list[Difference], names: set[tuple[str, str]]) -> None:
    assert {(each.kind, each.object) for each in differences} == names
    assert len(differences) == len(names)
    for each in differences:
        assert (each.severity == "warning") == (each.kind in WARNINGS)
        assert "\n" not in each.message
        assert "{" not in each.message.replace("{6}", "")
        assert each.object.rpartition(".")[2] in each.message


@pytest.mark.parametrize("chain", ["core", "ai"])
def test_the_committed_reference_is_what_the_chain_builds(
    chain: ChainName, request: pytest.FixtureRequest
) -> None:
    built = build_reference(request.getfixturevalue(f"{chain}_url"))
    assert built == load_reference(chain), f"run: python -m ops.drift.reference {chain}"


def test_the_reference_is_written_one_object_a_line(ai_url: URL) -> None:
    lines = reference_text(build_reference(ai_url)).splitlines()
    assert sum('"ai_feedback.rating":' in line for line in lines) == 1
    assert all(line.count('": {"') <= 1 for line in lines)


@pytest.mark.parametrize("arguments", [[], ["legacy"], ["core", "ai"]])
def test_rewriting_refuses_anything_but_one_chain(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("marked", [True, *soaked(False)])
def test_in_a_shared_database_each_chain_answers_for_its_own(shared_url: URL, marked: bool) -> None:
    if not marked:
        _run(shared_url, "DROP SCHEMA ops CASCADE")
    assert drift(shared_url, "core") == []
    assert drift(shared_url, "ai") == []
    verified = [schema(Subject(shared_url, shared_url, None, *DAYS), chain=c) for c in CHAINS]
    assert [(each.outcome, each.measured["tables"]) for each in verified] == [("pass", 42)] * 2
    _run(shared_url, "DROP INDEX ix_ai_feedback_rating; DROP INDEX ix_users_email")
    assert [each.object for each in drift(shared_url, "core")] == ["users.ix_users_email"]
    assert [each.object for each in drift(shared_url, "ai")] == [
        "ai_feedback.ix_ai_feedback_rating"
    ]


def test_schema_ops_is_nobodys_drift(core_url: URL) -> None:
    _run(core_url, "CREATE TABLE ops.anything (id serial PRIMARY KEY)")
    assert drift(core_url, "core") == []


def test_an_empty_database_lacks_everything(scratch_database: URL) -> None:
    differences = drift(scratch_database, "core")
    missing = {each.object for each in differences if each.kind == "missing table"}
    assert missing == load_reference("core")["tables"].keys()
    assert {each.kind for each in differences} == {"missing table", "missing enum", "revision"}


def test_an_extension_may_live_in_a_schema_of_its_own(new_database: NewDatabase) -> None:
    url = new_database()
    _run(url, "CREATE SCHEMA extensions; CREATE EXTENSION vector SCHEMA extensions")
    name = url.database
    _run(url, f'ALTER DATABASE "{name}" SET search_path = public, extensions')
    upgrade("ai", url)
    assert drift(url, "ai") == []


def test_alembic_itself_is_asked(core_url: URL) -> None:
    _run(core_url, "ALTER TABLE users ADD COLUMN mood text; DROP INDEX ix_positions_symbol")
    _run(core_url, "ALTER TABLE positions ALTER COLUMN quantity TYPE numeric(20, 4)")
    found = {(each.object, each.found) for each in model_differences(core_url, "core", set())}
    assert ("users", "remove column mood") in found
    assert ("positions", "add index ix_positions_symbol") in found
    assert any(said and said.startswith("modify type of quantity") for _, said in found)
    assert len(found) == 3


@pytest.mark.parametrize(
    "labels",
    [
        ("a check that is NOT VALID", "a foreign key that is not enforced", "a virtual column"),
        *soaked((("a foreign key whose triggers are off", "a stored column"),)),
    ],
)
def test_what_alembic_does_not_see(labels: tuple[str, ...], core_url: URL) -> None:
    """Alembic 1.20.1 and SQLAlchemy 2.1.9: where this fails, they see it, and the catalogue need
    not be asked."""
    for label in labels:
        _run(core_url, DAMAGES[label].do)
    assert model_differences(core_url, "core", set()) == []
    _assert_names(drift(core_url, "core"), _named_by(DAMAGES[label] for label in labels))


def test_a_server_that_does_not_answer_is_one_clear_line() -> None:
    nobody = loopback_url(free_port(), "postgres", "secret", "core")
    with pytest.raises(DatabaseUnavailableError, match="no PostgreSQL server answers"):
        drift(nobody, "core")


@pytest.mark.parametrize("chain", ["core", *soaked("ai")])
def test_the_reference_holds_on_an_older_server(
    chain: ChainName, old_server: EmbeddedServer
) -> None:
    older = create_database(old_server)
    upgrade(chain, older)
    assert drift(older, chain) == []


def _run(url: URL, statements: str) -> None:
    with connect(url, application_name="tests", autocommit=True) as connection:
        connection.execute(statements.encode())
