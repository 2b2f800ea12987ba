"""What the tests of drift and of verification share."""

import json
from collections.abc import Collection, Iterator

import pytest
from sqlalchemy.engine import URL

from app.migration_recognition import ChainName
from ops.connection import connect
from ops.drift.catalogue import read_catalogue
from ops.drift.difference import Difference
from ops.drift.models import model_differences


@pytest.fixture(scope="module")
def models_compared_once() -> Iterator[None]:
    """Ask Alembic once about each catalogue: it takes six times as long as all the rest of drift.

    Its answer depends on nothing else, and most databases of these tests have the same one.
    """
    known: dict[tuple[str, ...], list[Difference]] = {}

    def compare(url: URL, chain: ChainName, named: Collection[str]) -> list[Difference]:
        with connect(url, application_name="tests", read_only=True) as connection:
            key = (chain, json.dumps(read_catalogue(connection)), *sorted(named))
        if key not in known:
            known[key] = model_differences(url, chain, named)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ops.drift.audit.model_differences", compare)
        yield
