"""A small system before its swap: verified, served from the old database."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import httpx

from ops.backend.serving import serving_pair
from ops.backend.supervised import SupervisedBackend
from ops.books.active_pair import Pair
from ops.books.cutovers import Cutover, last_cutover
from ops.connection import connect
from ops.demo.marker import DEMO_USERS
from ops.http_answer import PAIR_HEADER
from ops.settings import OperatorSettings
from ops.state_folder import StateFolder
from ops.write_lock.lock import lock_state
from tests.faults.stage import SMALL_BOOK, TEN_DAYS, Stage

_FEWEST_ROUNDS = 4
_PLAIN: Mapping[str, bool] = {"trust_env": False, "verify": False}  # no certificates to read


@dataclass
class CutoverScene:
    """A stage whose backend serves.

    Attributes:
        light: the same folder, where commands do without Prefect: `serve`, `swap`, `rollback`.
    """

    stage: Stage
    light: Stage

    @property
    def state(self) -> StateFolder:
        return StateFolder(self.stage.home)

    @property
    def backend(self) -> SupervisedBackend:
        return SupervisedBackend(self.state)

    @property
    def address(self) -> str:
        address = self.backend.url
        assert address is not None
        return address

    def prepare(self) -> None:
        """Three portfolios and ten days on both sides, every group copied, all checks green."""
        self.stage.back_to("backfill")
        self._change_legacy()
        self.stage.must("copy", "--group", "all")
        self.light.must("serve")
        self.stage.must("verify", *TEN_DAYS)

    def _change_legacy(self) -> None:
        """Of its book only the small one is left; and passwords are compared in no time."""
        salt = bcrypt.gensalt(_FEWEST_ROUNDS)
        hashed = bcrypt.hashpw(self.password.encode(), salt).decode()
        with connect(self.stage.url("legacy"), application_name="tests") as legacy:
            legacy.execute(
                "UPDATE portfolios SET deleted_at = now()"
                " WHERE account_name <> ALL(%s) AND deleted_at IS NULL",
                [list(SMALL_BOOK)],
            )
            legacy.execute("UPDATE users SET hashed_password = %s", [hashed])

    def leave(self) -> None:
        """Stop the backend; nothing is swapped or locked any more."""
        if self.pointer() == "new":
            self.stage.must("rollback", "--accept-loss", "1000000")
        self.backend.stop()

    def _settings(self) -> OperatorSettings:
        return OperatorSettings(SIGMASIGHT_HOME=self.stage.home)

    @property
    def password(self) -> str:
        """The demo users'."""
        return self._settings().demo_password()

    def pointer(self) -> Pair:
        return serving_pair(self._settings())

    def cutover(self) -> Cutover:
        found = last_cutover(self.stage.url("core"))
        assert found is not None
        return found

    def serving(self, patience: float = 15.0) -> str:
        """The pair that the public address serves from; it may take a moment after a kill."""
        deadline = time.monotonic() + patience
        while True:
            try:
                found = httpx.get(f"{self.address}/ready", timeout=patience, **_PLAIN)
                if found.is_success:
                    return found.headers[PAIR_HEADER]
            except (httpx.HTTPError, AssertionError):
                pass
            assert time.monotonic() < deadline, "nobody serves"
            time.sleep(0.05)

    def log_in(self) -> httpx.Response:
        who = {"email": DEMO_USERS[0], "password": self.password}
        address = f"{self.address}/api/v1/auth/login"
        return httpx.post(address, json=who, timeout=20, **_PLAIN)

    def assert_settled(self, pair: Pair) -> None:
        """That pair serves, legacy is locked exactly where it does not, nothing is left open."""
        assert self.pointer() == pair
        assert self.serving() == pair
        assert self.log_in().status_code == 200
        assert self.cutover().state != "running"
        assert lock_state(self.stage.url("legacy")).state == ("locked" if pair == "new" else "open")


def losses(folder: Path) -> tuple[str, ...]:
    """A rollback that keeps what users wrote."""
    return ("rollback", "--export", str(folder / f"losses-{time.monotonic_ns()}.zip"))
