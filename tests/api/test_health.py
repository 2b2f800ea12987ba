"""Whether the backend says truly that it lives and that it can serve."""

import httpx


def test_it_lives(anonymous: httpx.Client) -> None:
    assert anonymous.get("/health").json() == {"status": "healthy"}
    assert set(anonymous.get("/").json()) == {"message", "version"}
