"""A small system before its swap: verified, served from the old database."""

import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from ops.backend.supervised import SupervisedBackend
from ops.books.active_pair import Pair, active_pair
from ops.books.cutovers import Cutover, last_cutover
from ops.connection import connect
from ops.cutover.embedded_switch import EmbeddedSwitch
from ops.cutover.questions import PAIR_HEADER
from ops.settings import OperatorSettings
from ops.state_folder import StateFolder
from ops.verify.http.logins import DEMO_USERS
from ops.write_lock.lock import lock_state
from tests.acceptance.command_line import Outcome, Pause, Running
from tests.faults.stage import SMALL_BOOK, TEN_DAYS, Stage


@dataclass
class CutoverScene:
    """A stage whose backend serves."""

    stage: Stage

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
        with connect(self.stage.url("legacy"), application_name="tests") as legacy:
            legacy.execute(
                "UPDATE portfolios SET deleted_at = now()"
                " WHERE account_name <> ALL(%s) AND deleted_at IS NULL",
                [list(SMALL_BOOK)],
            )
        self.stage.must("copy", "--group", "all")
        switch = EmbeddedSwitch(self._settings(), self.stage.command_line.prefect.api_url)
        switch.serve_active()
        switch.stage("new")
        self.stage.must("verify", *TEN_DAYS)

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

    def start(self, words: tuple[str, ...], pause: Pause) -> Running:
        return self.stage.start(words, pause)

    def must(self, *words: str) -> Outcome:
        return self.stage.must(*words)

    def pointer(self) -> Pair:
        return active_pair(self.state, has_legacy=True)

    def cutover(self) -> Cutover:
        found = last_cutover(self.stage.url("core"))
        assert found is not None
        return found

    def serving(self, patience: float = 15.0) -> str:
        """The pair that the public address serves from; it may take a moment after a kill."""
        deadline = time.monotonic() + patience
        while True:
            try:
                found = httpx.get(f"{self.address}/ready", timeout=patience, trust_env=False)
                if found.is_success:
                    return found.headers[PAIR_HEADER]
            except (httpx.HTTPError, AssertionError):
                pass
            assert time.monotonic() < deadline, "nobody serves"
            time.sleep(0.05)

    def log_in(self) -> httpx.Response:
        who = {"email": DEMO_USERS[0], "password": self.password}
        address = f"{self.address}/api/v1/auth/login"
        return httpx.post(address, json=who, timeout=20, trust_env=False)

    def assert_settled(self, pair: Pair) -> None:
        """That pair serves, legacy is locked exactly where it does not, nothing is left open."""
        assert self.pointer() == pair
        assert self.serving() == pair
        assert self.log_in().status_code == 200
        assert self.cutover().state != "running"
        assert lock_state(self.stage.url("legacy")).state == ("locked" if pair == "new" else "open")


def losses(folder: Path) -> tuple[str, ...]:
    """A rollback that keeps what users wrote."""
    return ("rollback", "--export", str(folder / f"losses-{time.monotonic_ns()}.jsonl.gz"))
