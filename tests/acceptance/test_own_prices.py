"""Prices that are wrong from one day on are refused before anything starts."""

from pathlib import Path

import numpy as np
import pytest

from ops.demo.prices import generate_prices
from tests.acceptance.command_line import CommandLine
from tests.acceptance.conftest import write_prices


@pytest.mark.soak
def test_prices_times_100_from_one_day_on_stop_a_rebuild_unless_accepted(
    command_line: CommandLine, tmp_path: Path
) -> None:
    history = generate_prices()
    later = history.dates >= np.datetime64("2025-09-02")
    for values in (history.open, history.high, history.low, history.close):
        values[later] *= 100
    path = write_prices(history, tmp_path / "prices.csv")
    home = {"SIGMASIGHT_HOME": tmp_path / "home"}
    rebuilt = command_line.run("rebuild", "--prices", str(path), **home)
    assert rebuilt.code == 1, rebuilt
    (error,) = rebuilt.errors
    assert "level-shift: prices change their level and stay there: " in error
    assert "2025-09-02 (line " in error
    assert error.endswith("or accept it by `--accept level-shift` (PRICES_ACCEPT)")
    checked = command_line.run("prices", "--check", str(path), **home)
    assert (checked.code, checked.errors) == (1, [error]), checked
    accepted = command_line.run("prices", "--check", str(path), "--accept", "level-shift", **home)
    assert (accepted.code, accepted.errors) == (0, []), accepted
    assert accepted.out.endswith("usable\n")
    assert not (tmp_path / "home").exists()
