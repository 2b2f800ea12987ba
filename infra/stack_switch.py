"""How the active pair of a docker or external stack is changed: by its configuration.

`active` in the stack's file is the one home of the value. What the engine then does follows from
it, so whoever was killed in between is finished by the next `up`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from infra.driven import Log, last_stack, record_outputs
from infra.public_backend import PAIR_HEADER, answer_of, await_pair, serves
from ops.books.active_pair import Pair
from ops.books.declared_stack import declared_target
from ops.cutover.switch import LONGEST_HOLD
from ops.errors import ConfigurationError, RefusedError, SigmaSightError
from ops.settings import OperatorSettings

if TYPE_CHECKING:
    from infra.automation import DrivenStack

# A container that `up` has found healthy answers at once, but for the proxy before it.
_CONTAINER_SECONDS = 60.0
# The document that says that a platform has still to take a changed configuration.
_AWAITED = "awaited_redeployment"


@dataclass
class StackSwitch:
    """The active pair of a stack whose backend is a container of its own, or somebody else's.

    Attributes:
        backend_url: where users reach the backend; docker's own container is found without it.
        redeploy_seconds: how long an external platform may take to serve a changed configuration.
        loses_nothing: requests are refused during the change, for as long as is then stated.
    """

    stack: "DrivenStack"
    target: Literal["docker", "external"]
    backend_url: str | None
    redeploy_seconds: float
    loses_nothing: bool = field(default=False, init=False)
    lock_decides: bool = field(default=False, init=False)

    @property
    def log(self) -> Log:
        """Is told what happens, a line each."""
        return self.stack.log

    def active(self) -> Pair:
        """The pair that the stack's configuration says."""
        return self.stack.active()

    def stage(self, pair: Pair) -> str | None:
        """On docker, a second container on `stagedPort`; None where somebody else runs the
        backend, who can have one only."""
        if not self.runs_container():
            return None
        try:
            self.stack.configure(staged=pair)
            address = str(self._up()["staged_url"])
            await_pair(address, pair, _CONTAINER_SECONDS, self.log)
        except BaseException:
            self.attempt_converging(staged="none")
            raise
        return address

    @contextmanager
    def hold(
        self, stream_seconds: float, most_seconds: float = LONGEST_HOLD
    ) -> Iterator["StackHold"]:
        """On docker the container goes, after it has answered what it was asked; streams get the
        ten seconds of its image. An external backend cannot be stopped from here. Nobody holds
        requests, so that neither bound is kept.

        Raises:
            RefusedError: the external backend does not name its pair, so its answers could not
                tell when the change has reached it.
        """
        held = StackHold(self, self.active(), self.public_address(), self.runs_container())
        held.begin()
        try:
            yield held
        except BaseException:
            held.undo_swap()
            raise
        if not held.released:
            held.release()

    def public_address(self) -> str:
        """Where users reach the backend.

        Raises:
            ConfigurationError: nobody has said so.
        """
        if self.backend_url is not None:
            return self.backend_url
        if not self.runs_container():
            raise ConfigurationError("set BACKEND_URL to where users reach the backend")
        found = self.stack.outputs().get("backend_url")
        if found is None:
            raise ConfigurationError(
                f"the stack {self.stack.name} runs no backend yet; run "
                f"`sigmasight up --target {self.target}`"
            )
        return str(found)

    def retire(self, pair: Pair) -> None:
        """End the second container, and finish what a run that was killed has left."""
        self.serve_active()

    def serve_active(self) -> None:
        """Have what the configuration says be there, whatever was interrupted; where a platform
        was still to take a changed configuration, wait for it once more.

        Raises:
            NotServedError: it does not take it. The next call does not wait, so that also a pair
                that cannot be served may be left again.
        """
        if not self._settled():
            self.converge(staged="none", backendHeld="false")
        if self.stack.state.read(_AWAITED):
            try:
                self.await_redeployment(self.public_address(), self.active())
            finally:
                self.await_nothing()

    def await_redeployment(self, address: str, pair: Pair) -> None:
        """Have the operator give the platform what it has to know, and wait until it serves.

        Raises:
            NotServedError: it does not in time.
        """
        if not serves(answer_of(address), pair):
            self.ask_for_redeployment(pair)
        await_pair(address, pair, self.redeploy_seconds, self.log)
        self.await_nothing()

    def ask_for_redeployment(self, pair: Pair) -> None:
        """Say what only the platform's owner can do."""
        self.log(
            f"the backend is to serve from the {pair} pair now: give your platform the variables "
            "of `sigmasight pulumi stack output backend_environment --show-secrets "
            f"-s {self.stack.name}` and redeploy it (AI_DATABASE_URL goes where it is not among "
            "them)"
        )

    def await_nothing(self) -> None:
        """Remember that no platform has anything to take any more."""
        self.stack.state.write(_AWAITED, {})

    def runs_container(self) -> bool:
        """Whether the backend is a container of the stack."""
        said = self.stack.configuration().get("backendContainer", "true")
        return self.target == "docker" and said.lower() == "true"

    def _settled(self) -> bool:
        known = self.stack.configuration()
        at_rest = known.get("staged", "none") == "none" and not _is_true(known.get("backendHeld"))
        return at_rest and self.stack.outputs().get("active") == known.get("active", "old")

    def converge(self, **words: str) -> None:
        """Bring the stack up, on docker with these words of its configuration."""
        if self.target == "docker" and words:
            self.stack.configure(**words)
        self._up()

    def attempt_converging(self, **words: str) -> None:
        """Likewise where an error is on its way already: another is told, not raised."""
        try:
            self.converge(**words)
        except SigmaSightError as error:
            self.log(
                f"the stack {self.stack.name} could not be put in order: {error}; then run "
                f"`sigmasight up --target {self.target}`"
            )

    def _up(self) -> dict[str, object]:
        self.stack.up()
        outputs = self.stack.outputs()
        record_outputs(self.stack.state, self.stack.name, outputs)
        return outputs


@dataclass
class StackHold:
    """The time between two backends.

    Attributes:
        before: the pair that was active when it began.
        stopped: whether the backend is a container, which is away meanwhile.
        released: whether the active pair is served again, or the attempt at it has ended.
    """

    switch: StackSwitch
    before: Pair
    address: str
    stopped: bool
    released: bool = field(default=False, init=False)
    _begun: float = field(default_factory=time.monotonic, init=False)
    _held: bool = field(default=False, init=False)

    def begin(self) -> None:
        """Stop what can be stopped."""
        if not self.stopped:
            self._check_named()
            self._tell(
                "the backend is not ours to stop: it serves on, and what users write through it "
                "fails from the lock on until it is redeployed"
            )
            return
        self._begun = time.monotonic()
        self._held = True
        try:
            self.switch.converge(backendHeld="true")
        except BaseException:
            self.undo_swap()
            raise

    def flip(self, pair: Pair) -> None:
        """Write the value, by one replacement of the stack's file."""
        if self.stopped:
            self.switch.stack.configure(active=pair, backendHeld="false")
            self._held = False
            return
        self.switch.stack.state.write(_AWAITED, {"pair": pair})
        self.switch.stack.configure(active=pair)

    def release(self) -> float:
        """Bring the stack up and wait until the public address answers from the active pair.

        Returns the seconds since the hold began.

        Raises:
            NotServedError: it does not in time; the pair of before is active again.
            SigmaSightError: the engine failed; likewise.
        """
        self.released = True
        pair = self.switch.active()
        try:
            self._serve(pair)
        except BaseException:
            self._flip_back(pair)
            raise
        seconds = time.monotonic() - self._begun
        how = "nobody served" if self.stopped else "nothing could be relied on"
        self._tell(f"outage: {how} for {seconds:.1f} s; {self.address} serves the {pair} pair")
        return seconds

    def undo_swap(self) -> None:
        """Serve the active pair although the block has failed."""
        if not self.released:
            self.released = True
            self.switch.attempt_converging(**self._words())

    def _serve(self, pair: Pair) -> None:
        self.switch.converge(**self._words())
        if self.stopped:
            await_pair(self.address, pair, _CONTAINER_SECONDS, self._tell)
        else:
            self.switch.await_redeployment(self.address, pair)

    def _words(self) -> dict[str, str]:
        """What ends the hold, unless the flip has already written it."""
        return {"backendHeld": "false"} if self._held else {}

    def _flip_back(self, pair: Pair) -> None:
        if pair != self.before:
            self._tell(f"the {pair} pair is not served; going back to the {self.before} pair")
            self.flip(self.before)
        self.switch.attempt_converging(**self._words())
        if not self.stopped:
            self.switch.ask_for_redeployment(self.before)

    def _check_named(self) -> None:
        answer = answer_of(self.address)
        if answer is not None and PAIR_HEADER not in answer.headers:
            raise RefusedError(
                f"{self.address} does not name its pair, so it would not be seen when the change "
                "reaches it; redeploy it with the stack's backend_environment (ACTIVE_PAIR) first"
            )

    def _tell(self, line: str) -> None:
        self.switch.log(line)


def switch_for(settings: OperatorSettings, log: Log) -> StackSwitch | None:
    """How the active pair is changed here; None for embedded servers, whose supervisor does it.

    Raises:
        ConfigurationError: the databases are given by address, and no stack says what the backend
            is given.
    """
    target = declared_target(settings.state)
    if settings.embedded:
        return None
    if target in (None, "embedded") or (target == "docker" and settings.DATABASE_URL is not None):
        raise ConfigurationError(
            "the databases are given by address, so nothing here says which of them the backend "
            "gets; declare that by `sigmasight up --target external`"
        )
    stack = last_stack(settings, log)
    assert stack is not None  # its target is recorded
    wanted = cast(Literal["docker", "external"], target)
    seconds = float(settings.BACKEND_REDEPLOY_SECONDS)
    return StackSwitch(stack, wanted, settings.BACKEND_URL, seconds)


def _is_true(word: str | None) -> bool:
    return (word or "").lower() == "true"
