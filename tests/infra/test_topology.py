"""What a stack consists of, by its three words."""

import pytest

from infra.topology import Topology
from ops.embedded.databases import SPECS
from ops.errors import ConfigurationError


def test_before_the_swap_all_three_exist() -> None:
    topology = Topology("embedded", legacy="present", active="old")
    assert topology.databases == ("legacy", "core", "ai")


def test_after_the_cleanup_the_new_pair_is_all_there_is() -> None:
    topology = Topology("docker", legacy="absent", active="new")
    assert topology.databases == ("core", "ai")


def test_after_the_swap_the_old_database_is_still_there() -> None:
    topology = Topology("external", legacy="present", active="new")
    assert topology.databases == ("legacy", "core", "ai")


def test_the_backend_cannot_use_what_does_not_exist() -> None:
    with pytest.raises(ConfigurationError, match="set active to new, or legacy to present"):
        Topology("embedded", legacy="absent", active="old")


def test_vector_is_where_vectors_are() -> None:
    extensions = {
        name: SPECS[name].extensions for name in Topology("embedded", "present", "old").databases
    }
    assert extensions == {"legacy": ("vector",), "core": (), "ai": ("vector",)}
