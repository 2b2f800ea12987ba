"""What a swap or rollback relies on, of whatever switch. Each test goes on from the pair that the
one before has left active, since to make an installation can take longer than to change it."""

import os
from contextlib import suppress
from dataclasses import dataclass

import httpx
import pytest

from ops.books.active_pair import Pair
from ops.cutover.switch import Switch
from ops.errors import RefusedError, SigmaSightError
from tests.integration.serving.starting import eventually

_KILLED = 9


def named(address: str) -> str | None:
    """The pair that answers at an address; None where nobody does."""
    try:
        found = httpx.get(f"{address}/ready", timeout=20, trust_env=False, verify=False)
    except httpx.HTTPError:
        return None
    return found.headers.get("X-SigmaSight-Pair") if found.is_success else None


def die_in_a_fork(switch: Switch, flip_to: Pair | None) -> None:
    """Let a process die that holds requests: before it flips, or after."""
    child = os.fork()
    if child == 0:
        try:
            with switch.hold(60.0) as held:
                if flip_to is not None:
                    held.flip(flip_to)
                os._exit(_KILLED)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == _KILLED


@dataclass(frozen=True)
class Installed:
    """A switch, and what serves behind it."""

    switch: Switch

    def other(self) -> Pair:
        return "old" if self.switch.active() == "new" else "new"

    def assert_served(self, pair: Pair) -> None:
        assert (self.switch.active(), named(self.switch.public_address())) == (pair, pair)


class SwitchContract:
    """A subclass gives the fixture `installed`, of its module."""

    def test_the_pair_changes_there_and_back(self, installed: Installed) -> None:
        switch = installed.switch
        for _ in range(2):
            before, after = switch.active(), installed.other()
            private = switch.stage(after)
            assert named(private) == after
            installed.assert_served(before)
            with switch.hold(60.0) as held:
                held.flip(after)
                assert switch.active() == after
                assert held.release() >= 0
            installed.assert_served(after)
            switch.retire(before)
            installed.assert_served(after)

    def test_what_was_only_staged_is_retired(self, installed: Installed) -> None:
        before, after = installed.switch.active(), installed.other()
        private = installed.switch.stage(after)
        installed.switch.retire(after)
        installed.assert_served(before)
        eventually(lambda: named(private) is None)

    def test_a_block_that_fails_serves_the_pair_of_before(self, installed: Installed) -> None:
        before = installed.switch.active()
        with pytest.raises(RefusedError, match="price"), installed.switch.hold(60.0):
            raise RefusedError("the price is too high")
        installed.assert_served(before)

    def test_a_flip_is_undone_by_another(self, installed: Installed) -> None:
        before, after = installed.switch.active(), installed.other()
        installed.switch.stage(after)
        with suppress(RefusedError), installed.switch.hold(60.0) as held:
            held.flip(after)
            held.flip(before)
            raise RefusedError("the lock does not hold")
        installed.switch.retire(after)
        installed.assert_served(before)

    def test_users_wait_no_longer_than_they_may(self, installed: Installed) -> None:
        switch, before, after = installed.switch, installed.switch.active(), installed.other()
        switch.stage(after)
        with switch.hold(0.5) as held:
            assert named(switch.public_address()) == before, "it is asked while they are held"
            with pytest.raises(SigmaSightError):
                held.flip(after)
            assert held.release() >= 0.5
        with switch.hold(0.5) as held:
            held.flip(after)
            assert named(switch.public_address()) == after
            assert held.release() >= 0.5
        switch.retire(before)
        installed.assert_served(after)

    def test_a_holder_that_dies_leaves_the_pair_that_it_named(self, installed: Installed) -> None:
        switch, before = installed.switch, installed.switch.active()
        die_in_a_fork(switch, None)
        assert switch.active() == before
        switch.serve_active()
        installed.assert_served(before)
        after = installed.other()
        switch.stage(after)
        die_in_a_fork(switch, after)
        eventually(lambda: named(switch.public_address()) == after)
        assert switch.active() == after
        switch.serve_active()
        switch.retire(before)
        installed.assert_served(after)
