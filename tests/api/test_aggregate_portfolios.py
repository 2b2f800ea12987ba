"""Which portfolios are aggregated, for whom, and at what cost."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx
import pytest

from ops.connection import connect
from tests.api.aggregate_books import ALLOCATOR, BASE, ROUTES, Books, ask
from tests.api.backend import Backend
from tests.api.conftest import INDIVIDUAL


@pytest.mark.parametrize("route", ROUTES)
def test_the_number_of_statements_does_not_grow_with_the_portfolios(
    route: str, backend: Backend
) -> None:
    counts = []
    for email in (INDIVIDUAL, ALLOCATOR):
        with backend.client(email) as client, backend.statements.counted() as sent:
            ask(client, route)
        counts.append(len(sent))
    assert counts[0] == counts[1] <= 5, sent


@pytest.mark.parametrize("route", ROUTES)
def test_the_portfolios_can_be_chosen_and_must_be_the_callers(route: str, backend: Backend) -> None:
    own, foreign = (list(Books(backend.core, one).equities) for one in (ALLOCATOR, INDIVIDUAL))
    with backend.client(ALLOCATOR) as client:
        one = ask(client, route, portfolio_ids=str(own[1]))
        assert one["portfolio_count"] == 1
        assert ask(client, route, portfolio_ids=[str(id) for id in reversed(own)]) == ask(
            client, route
        )
        assert ask(client, route, portfolio_ids=[str(own[1])] * 2) == one
        for ids in ([foreign[0]], [own[0], foreign[0]], [uuid4()]):
            response = client.get(
                f"{BASE}/{route}", params={"portfolio_ids": [str(i) for i in ids]}
            )
            assert (response.status_code, response.json()) == (
                404,
                {"detail": "Portfolio not found"},
            )


@pytest.mark.parametrize(
    ("route", "query"),
    [
        *((route, "portfolio_ids=nonsense") for route in ROUTES),
        ("beta", "portfolio_ids="),
        ("beta", "portfolio_ids=%00"),
        ("beta", "&".join(["portfolio_ids=00000000-0000-0000-0000-000000000000"] * 101)),
        ("correlation-matrix", "max_symbols=1"),
        ("correlation-matrix", "max_symbols=51"),
        ("correlation-matrix", "max_symbols=-1"),
        ("correlation-matrix", "max_symbols=many"),
        ("correlation-matrix", "max_symbols=1e1"),
        ("correlation-matrix", f"max_symbols={10**40}"),
    ],
)
def test_odd_questions_are_refused(route: str, query: str, individual: httpx.Client) -> None:
    assert individual.get(f"{BASE}/{route}?{query}").status_code == 422


@pytest.mark.parametrize("route", ROUTES)
def test_nobody_else_may_ask(route: str, anonymous: httpx.Client) -> None:
    assert anonymous.get(f"{BASE}/{route}").status_code == 401


@dataclass
class Stranger:
    """A user of a test's own."""

    backend: Backend
    id: UUID
    email: str

    def client(self) -> httpx.Client:
        return self.backend.client(self.email, self.id)

    def portfolio(self, equity: float | None, beta: float | None = None, **columns: object) -> str:
        """A portfolio, with a snapshot where it has a beta."""
        id = str(uuid4())
        given = {"is_active": True, "deleted_at": None, **columns}
        with connect(self.backend.core, application_name="tests") as core:
            core.execute(
                "INSERT INTO portfolios (id, user_id, name, account_name, account_type, currency,"
                " equity_balance, is_active, deleted_at, created_at, updated_at) VALUES (%s, %s,"
                " 'Own', %s, 'taxable', 'USD', %s, %s, %s, now(), now())",
                [id, self.id, id, equity, given["is_active"], given["deleted_at"]],
            )
            if beta is not None:
                core.execute(
                    "INSERT INTO portfolio_snapshots (id, portfolio_id, snapshot_date, total_value,"
                    " cash_value, long_value, short_value, gross_exposure, net_exposure,"
                    " num_positions, num_long_positions, num_short_positions, beta_provider_1y,"
                    " created_at) VALUES (gen_random_uuid(), %s, '2025-12-19', 1, 0, 0, 0, 0, 0,"
                    " 0, 0, 0, %s, now())",
                    [id, beta],
                )
        return id


@pytest.fixture
def stranger(backend: Backend) -> Iterator[Stranger]:
    one = Stranger(backend, uuid4(), f"{uuid4()}@example.com")
    with connect(backend.core, application_name="tests") as core:
        core.execute(
            "INSERT INTO users VALUES (%s, %s, 'x', 'A Stranger', true, now(), now())",
            [one.id, one.email],
        )
    yield one
    with connect(backend.core, application_name="tests") as core:
        core.execute(
            "DELETE FROM portfolio_snapshots USING portfolios AS p "
            "WHERE p.id = portfolio_id AND p.user_id = %s",
            [one.id],
        )
        core.execute("DELETE FROM portfolios WHERE user_id = %s", [one.id])
        core.execute("DELETE FROM users WHERE id = %s", [one.id])


@pytest.mark.parametrize("route", ROUTES)
def test_a_user_without_portfolios_is_told_so(route: str, stranger: Stranger) -> None:
    stranger.portfolio(1000, is_active=False)
    with stranger.client() as client:
        found = ask(client, route)
    assert (found["net_asset_value"], found["portfolio_count"]) == (0, 0)
    if "available" in found:
        assert (found["available"], found["data"]) == (False, None)
    if route not in ("overview", "breakdown"):
        assert found["message"] == "No portfolios found"


def test_a_portfolio_without_a_snapshot_weighs_but_has_no_figure(stranger: Stranger) -> None:
    known = stranger.portfolio(300_000, beta=1.2)
    unknown = stranger.portfolio(100_000)
    with stranger.client() as client:
        overview, beta = ask(client, "overview"), ask(client, "beta")
        volatility = ask(client, "volatility")
        stress, factors = ask(client, "stress-test"), ask(client, "factor-exposures")
        correlation = ask(client, "correlation-matrix")
    assert [one["weight"] for one in overview["portfolios"]] == [0.75, 0.25]
    assert beta["aggregate_beta"] == pytest.approx(1.2)
    parts = {one["portfolio_id"]: one for one in beta["portfolios"]}
    assert parts[known]["contribution"] == pytest.approx(0.9)
    assert (parts[unknown]["beta"], parts[unknown]["contribution"]) == (None, None)
    assert volatility["aggregate_volatility"] is None
    assert (stress["available"], factors["aggregate_factors"]) == (False, {})
    assert (correlation["available"], correlation["metadata"]) == (False, None)


def test_inactive_portfolios_count_only_when_named_and_deleted_ones_never(
    stranger: Stranger,
) -> None:
    active = stranger.portfolio(100_000, beta=1.0)
    inactive = stranger.portfolio(100_000, beta=2.0, is_active=False)
    deleted = stranger.portfolio(100_000, beta=3.0, deleted_at="2025-12-01")
    with stranger.client() as client:
        assert ask(client, "beta")["aggregate_beta"] == 1.0
        assert ask(client, "beta", portfolio_ids=[active, inactive])["aggregate_beta"] == 1.5
        response = client.get(f"{BASE}/beta", params={"portfolio_ids": [active, deleted]})
        assert response.status_code == 404


def test_portfolios_without_equity_weigh_the_same(stranger: Stranger) -> None:
    stranger.portfolio(None, beta=1.0)
    stranger.portfolio(0, beta=2.0)
    with stranger.client() as client:
        assert ask(client, "beta")["aggregate_beta"] == 1.5
        sectors = ask(client, "sector-exposure")
    assert (sectors["available"], sectors["data"]) == (False, None)
    assert sectors["message"] == "Total portfolio value is not positive"
