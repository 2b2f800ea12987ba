"""Login and registration, as clients of the original know them."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import bcrypt
import httpx
import jwt
import pytest

from app import login_throttle
from ops.connection import connect
from tests.api.backend import SECRET_KEY, Backend
from tests.api.conftest import DEMO_PASSWORD, HNW, INDIVIDUAL

LOGIN = "/api/v1/auth/login"
ME = "/api/v1/auth/me"


@pytest.fixture(autouse=True)
def nobody_guessed_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """And passwords are hashed with the fewest rounds that there are."""
    monkeypatch.setattr("app.security._COST", 4)
    monkeypatch.setattr("app.security._NOBODYS_HASH", b"$2b$04$" + b"." * 53)
    login_throttle._limiter.storage.reset()
    yield
    login_throttle._limiter.storage.reset()


def log_in(client: httpx.Client, email: str, password: str) -> httpx.Response:
    # Escaped by hand, since half a surrogate pair is no UTF-8 and yet can be said in JSON.
    content = json.dumps({"email": email, "password": password})
    return client.post(LOGIN, content=content, headers={"Content-Type": "application/json"})


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def forged(secret: str = SECRET_KEY, **claims: object) -> str:
    good = {"sub": str(uuid4()), "exp": datetime.now(UTC) + timedelta(hours=1)}
    return jwt.encode({k: v for k, v in {**good, **claims}.items() if v}, secret, "HS256")


def test_a_login_gives_a_token_for_24_hours_in_body_and_cookie(anonymous: httpx.Client) -> None:
    response = log_in(anonymous, INDIVIDUAL, DEMO_PASSWORD)
    assert response.status_code == 200
    body = response.json()
    assert (body["token_type"], body["expires_in"]) == ("bearer", 86_400)
    cookie = response.headers["set-cookie"]
    assert cookie.startswith(f"auth_token={body['access_token']};")
    assert {"HttpOnly", "SameSite=lax", "Max-Age=86400"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    claims = jwt.decode(body["access_token"], SECRET_KEY, ["HS256"])
    assert claims["email"] == INDIVIDUAL
    assert claims["exp"] - time.time() == pytest.approx(86_400, abs=60)


def test_the_token_names_the_oldest_live_portfolio(
    anonymous: httpx.Client, backend: Backend
) -> None:
    token = log_in(anonymous, HNW, DEMO_PASSWORD).json()["access_token"]
    claims = jwt.decode(token, SECRET_KEY, ["HS256"])
    with connect(backend.core, application_name="tests") as core:
        row = core.execute(
            "SELECT p.id::text FROM portfolios p JOIN users u ON u.id = p.user_id "
            "WHERE u.email = %s ORDER BY p.created_at, p.id LIMIT 1",
            [HNW],
        ).fetchone()
    assert row == (claims["portfolio_id"],)
    assert anonymous.get(ME, headers=bearer(token)).json()["portfolio_id"] == row[0]


@pytest.mark.parametrize("how", ["header", "cookie"])
def test_the_token_is_accepted_as_header_and_as_cookie(how: str, anonymous: httpx.Client) -> None:
    token = log_in(anonymous, INDIVIDUAL, DEMO_PASSWORD).json()["access_token"]
    anonymous.cookies.clear()
    headers = bearer(token) if how == "header" else {"Cookie": f"auth_token={token}"}
    me = anonymous.get(ME, headers=headers)
    assert me.status_code == 200
    assert set(me.json()) == {
        "id",
        "email",
        "full_name",
        "is_active",
        "created_at",
        "portfolio_id",
    }
    assert me.json()["created_at"].endswith("Z")


@pytest.mark.parametrize(
    ("email", "password", "status"),
    [
        (INDIVIDUAL, "wrong", 401),
        (INDIVIDUAL, "", 401),
        (INDIVIDUAL, "with\0nul", 422),
        (INDIVIDUAL, "half a pair \ud800", 422),
        (INDIVIDUAL, "x" * 1024, 401),
        (INDIVIDUAL, "x" * 1025, 422),
        ("nobody@sigmasight.com", DEMO_PASSWORD, 401),
        ("not an address", DEMO_PASSWORD, 422),
    ],
)
def test_a_login_that_fails_says_no_more_than_it_must(
    email: str, password: str, status: int, anonymous: httpx.Client
) -> None:
    response = log_in(anonymous, email, password)
    assert response.status_code == status
    assert "set-cookie" not in response.headers
    if status == 401:
        assert response.json() == {"detail": "Incorrect email or password"}
    else:
        assert password not in response.text


ODD_ADDRESSES = (
    "o'brien9@Example.com",
    "Two@case.example.com",
    "two@case.example.com",
    "MiXed@Example.COM",
    "x@xn--bcher-kva.de",
    "y@b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.de",
    "plus+tag@example.com",
)


@pytest.fixture(scope="module")
def oddly_addressed(session_backend: Backend) -> None:
    """Users whose addresses are stored as they once were typed; each one's password is the
    address."""
    with connect(session_backend.core, application_name="tests") as core:
        for email in ODD_ADDRESSES:
            hashed = bcrypt.hashpw(email.encode(), bcrypt.gensalt(4)).decode()
            core.execute(
                "INSERT INTO users VALUES (gen_random_uuid(), %s, %s, 'Odd', true, now(), now())",
                [email, hashed],
            )


@pytest.mark.usefixtures("oddly_addressed")
@pytest.mark.parametrize(
    ("given", "stored"),
    [
        *((email, email) for email in ODD_ADDRESSES),
        ("O'BRIEN9@EXAMPLE.COM", ODD_ADDRESSES[0]),
        ("o'brien9@example.com", ODD_ADDRESSES[0]),
        ("two@CASE.example.com", ODD_ADDRESSES[2]),
        (" mixed@example.com ", ODD_ADDRESSES[3]),
        ("Mixed <mixed@example.com>", ODD_ADDRESSES[3]),
        ("y@xn--bcher-kva.de", ODD_ADDRESSES[5]),
    ],
)
def test_an_address_means_the_user_who_is_stored_with_it_whatever_its_capitals(
    given: str, stored: str, anonymous: httpx.Client
) -> None:
    response = log_in(anonymous, given, stored)
    assert response.status_code == 200
    assert jwt.decode(response.json()["access_token"], SECRET_KEY, ["HS256"])["email"] == stored


@pytest.mark.usefixtures("oddly_addressed")
@pytest.mark.parametrize(
    ("given", "password"),
    [
        ("TWO@case.example.com", ODD_ADDRESSES[2]),  # either of two
        (ODD_ADDRESSES[1], ODD_ADDRESSES[2]),
        ("plus@example.com", ODD_ADDRESSES[6]),
        ("plus_tag@example.com", ODD_ADDRESSES[6]),
        ("%@example.com", ODD_ADDRESSES[0]),
    ],
)
def test_an_address_means_nobody_else(given: str, password: str, anonymous: httpx.Client) -> None:
    assert log_in(anonymous, given, password).status_code == 401


def test_guesses_count_for_the_account_however_its_address_is_written(
    anonymous: httpx.Client,
) -> None:
    guesses = [log_in(anonymous, f"Name{n} <{HNW.upper()}>", "guess") for n in range(11)]
    assert [guess.status_code for guess in guesses] == [401] * 10 + [429]


def test_a_login_of_an_address_that_cannot_be_stored_is_refused(anonymous: httpx.Client) -> None:
    assert log_in(anonymous, '"No\0body" <nobody@example.com>', "guess").status_code == 422


def test_an_inactive_user_is_told_so_only_with_the_right_password(
    anonymous: httpx.Client, backend: Backend
) -> None:
    email, user_id = f"{uuid4()}@example.com", uuid4()
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    with connect(backend.core, application_name="tests") as core:
        core.execute(
            "INSERT INTO users VALUES (%s, %s, %s, 'Gone', false, now(), now())",
            [user_id, email, hashed],
        )
    assert log_in(anonymous, email, "secret").json() == {"detail": "Inactive user account"}
    assert log_in(anonymous, email, "guess").json() == {"detail": "Incorrect email or password"}
    with backend.client(email, user_id) as gone:
        assert gone.get(ME).status_code == 401


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        forged(secret="another secret, just as long as ours"),
        forged(exp=datetime.now(UTC) - timedelta(seconds=1)),
        forged(exp=None),
        forged(sub="not an id"),
        forged(),
    ],
    ids=["none", "nonsense", "other secret", "expired", "endless", "no id", "nobody's"],
)
def test_a_token_that_is_not_good_opens_nothing(token: str, anonymous: httpx.Client) -> None:
    response = anonymous.get(ME, headers=bearer(token) if token else {})
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


def test_a_refresh_gives_another_good_token(individual: httpx.Client) -> None:
    response = individual.post("/api/v1/auth/refresh")
    assert response.status_code == 200
    assert "auth_token=" in response.headers["set-cookie"]
    again = individual.get(ME, headers=bearer(response.json()["access_token"]))
    assert again.json()["email"] == INDIVIDUAL


def test_a_logout_clears_the_cookie(individual: httpx.Client) -> None:
    response = individual.post("/api/v1/auth/logout")
    assert response.json() == {"message": "Successfully logged out", "success": True}
    assert 'auth_token="";' in response.headers["set-cookie"]
    assert "Max-Age=0" in response.headers["set-cookie"]


def test_somebody_who_registers_can_log_in_and_has_a_portfolio(anonymous: httpx.Client) -> None:
    email = f"{uuid4()}@example.com"
    facts = {"email": email, "password": "long enough", "full_name": "N" * 255}
    registered = anonymous.post("/api/v1/auth/register", json=facts)
    assert registered.status_code == 200, registered.text
    assert registered.json()["email"] == email
    again = anonymous.post("/api/v1/auth/register", json=facts)
    assert (again.status_code, again.json()) == (400, {"detail": "Email already registered"})
    token = log_in(anonymous, email, "long enough").json()["access_token"]
    assert anonymous.get(ME, headers=bearer(token)).json()["portfolio_id"] is not None


@pytest.mark.parametrize(
    "change",
    [
        {"password": "short"},
        {"password": "x" * 73},
        {"password": "ä" * 40},
        {"password": "nul\0 inside"},
        {"email": "nobody"},
        {"email": f"{'x' * 250}@example.com"},
        {"full_name": ""},
        {"full_name": "nul\0"},
        {"full_name": "N" * 256},
    ],
)
def test_a_registration_that_cannot_be_stored_is_refused(
    change: dict[str, str], anonymous: httpx.Client
) -> None:
    facts = {"email": f"{uuid4()}@example.com", "password": "long enough", "full_name": "New"}
    response = anonymous.post("/api/v1/auth/register", json={**facts, **change})
    assert response.status_code in (400, 422), response.text


def test_guessing_is_slowed_down_and_only_failures_count(anonymous: httpx.Client) -> None:
    for _ in range(12):
        assert log_in(anonymous, HNW, DEMO_PASSWORD).status_code == 200
    guesses = [log_in(anonymous, HNW, "guess") for _ in range(11)]
    assert [guess.status_code for guess in guesses] == [401] * 10 + [429]
    assert 1 <= int(guesses[-1].headers["retry-after"]) <= 300
    assert log_in(anonymous, HNW, DEMO_PASSWORD).status_code == 429
    assert log_in(anonymous, INDIVIDUAL, DEMO_PASSWORD).status_code == 200


def test_who_logs_in_between_failures_is_not_refused_for_these(anonymous: httpx.Client) -> None:
    # As each step of a swap does with its probe account: in, and once with a wrong password.
    for _ in range(11):
        assert log_in(anonymous, HNW, DEMO_PASSWORD).status_code == 200
        assert log_in(anonymous, HNW, "not the password").status_code == 401


def test_guesses_that_come_together_are_no_more_than_others_and_honest_logins_are_not_refused(
    anonymous: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hash_for_long(password: str, _stored: str | None) -> bool:
        await asyncio.sleep(0.1)
        return password == DEMO_PASSWORD

    def answers(password: str) -> dict[int, int]:
        with ThreadPoolExecutor(25) as together:
            each = together.map(lambda _: log_in(anonymous, HNW, password), range(25))
            return Counter(answer.status_code for answer in each)

    monkeypatch.setattr("app.accounts.password_matches", hash_for_long)
    assert answers(DEMO_PASSWORD) == {200: 25}
    assert answers("guess") == {401: 10, 429: 15}
