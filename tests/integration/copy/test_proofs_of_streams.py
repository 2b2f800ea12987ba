"""What goes straight into an empty table is proved by a hash of what was committed there."""

from collections.abc import Callable

import pytest
from sqlalchemy.engine import URL

from ops.copy import copy_delta, copy_group, delta_parity
from ops.copy.legacy import Legacy
from ops.copy.parity import TableParity
from ops.copy.report import TableProgress
from tests.integration.copy.conftest import Run
from tests.integration.copy.owned_world import OWNED, ROWS, tables
from tests.integration.copy.test_market_copy import PRICES

DAMAGED = """
CREATE FUNCTION damage() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN NEW.close := NEW.close + 0.0001; RETURN NEW; END $$;
CREATE TRIGGER damage BEFORE INSERT ON market_data_cache FOR EACH ROW EXECUTE FUNCTION damage();
"""
# What does not fit into a page leaves room there for a later row.
PROFILES_OF_MANY_LENGTHS = """
INSERT INTO company_profiles (symbol, description, data_source, last_updated, created_at,
    updated_at)
SELECT 'SYM' || n, repeat('x', n * 7919 % 1000), 'yahoo', now(), now(), now()
FROM generate_series(1, 1000) AS n
"""
ONE_ROW = "(SELECT id FROM market_data_cache ORDER BY id LIMIT 1)"
# Two rows give each other their prices: each column holds the same values as before.
EXCHANGED = """
UPDATE market_data_cache AS m SET close = o.close
FROM market_data_cache AS o, (SELECT min(close), max(close) FROM market_data_cache) AS ends (a, b)
WHERE (m.close, o.close) IN ((a, b), (b, a))
"""


def prices(legacy: URL, core: URL) -> TableParity:
    [found] = [one for one in delta_parity(legacy, core, None, ["market"]) if one.legacy_rows]
    return found


def when_committed(act: Callable[[], object]) -> Callable[[TableProgress], None]:
    """Do something between the commit of the prices and their proof."""

    def watch(progress: TableProgress) -> None:
        if (progress.table, progress.step) == ("market_data_cache", "hashing"):
            act()

    return watch


def test_no_text_is_hashed_where_what_was_committed_is_what_was_sent(
    run: Run, legacy_url: URL, core_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(legacy_url, PRICES)
    with monkeypatch.context() as patch:
        patch.delattr(Legacy, "hash")
        copy_group(legacy_url, core_url)
    assert prices(legacy_url, core_url) == TableParity(
        "market_data_cache", 1000, compared_by="proof", proved=True
    )


def test_what_was_rejected_does_not_stand_in_the_way_of_the_proof(
    run: Run, legacy_url: URL, core_url: URL
) -> None:
    run(legacy_url, PRICES)
    run(legacy_url, f"UPDATE market_data_cache SET close = 'NaN' WHERE id = {ONE_ROW}")
    assert copy_group(legacy_url, core_url).tables[0].rejected == {"close is NaN": 1}
    assert prices(legacy_url, core_url) == TableParity(
        "market_data_cache", 999, compared_by="proof", proved=True
    )


def test_every_table_that_went_straight_is_proved(
    owned_url: URL, core_url: URL, ai_url: URL
) -> None:
    copies = tables(copy_delta(owned_url, core_url, ai_url, OWNED))
    straight = {name for name, copy in copies.items() if copy.path == "direct"}
    found = delta_parity(owned_url, core_url, ai_url, OWNED)
    assert straight == {one.table for one in found if one.compared_by == "proof"}
    assert set(ROWS) - straight == {"ai_kb_documents"}, (
        "its vectors' type is another in each database"
    )


def test_rows_that_were_damaged_on_the_way_are_found(
    run: Run, legacy_url: URL, core_url: URL
) -> None:
    run(legacy_url, PRICES)
    run(core_url, DAMAGED)
    assert copy_group(legacy_url, core_url).tables[0].path == "direct"
    assert prices(legacy_url, core_url).different == 1000


@pytest.mark.parametrize(
    ("written", "missing", "different"),
    [
        (f"UPDATE market_data_cache SET close = close + 1 WHERE id = {ONE_ROW}", 0, 1),
        (f"DELETE FROM market_data_cache WHERE id = {ONE_ROW}", 1, 0),
        (EXCHANGED, 0, 2),
    ],
)
def test_what_somebody_writes_before_the_proof_is_found(
    run: Run, legacy_url: URL, core_url: URL, written: str, missing: int, different: int
) -> None:
    run(legacy_url, PRICES)
    copy_group(legacy_url, core_url, on_progress=when_committed(lambda: run(core_url, written)))
    found = prices(legacy_url, core_url)
    assert (found.missing, found.different, found.compared_by) == (missing, different, "rows")


def test_rows_that_lie_in_another_order_than_they_were_sent_are_proved_too(
    run: Run, legacy_url: URL, core_url: URL
) -> None:
    run(legacy_url, PROFILES_OF_MANY_LENGTHS)
    run(core_url, "ALTER TABLE company_profiles SET (fillfactor = 60)")
    copy_group(legacy_url, core_url)
    order = "SELECT array_agg(symbol ORDER BY ctid) FROM company_profiles"
    assert run(core_url, order) != run(legacy_url, order)
    assert prices(legacy_url, core_url) == TableParity(
        "company_profiles", 1000, compared_by="proof", proved=True
    )


def test_without_what_was_seen_both_sides_are_hashed_and_nothing_is_written(
    run: Run, legacy_url: URL, core_url: URL
) -> None:
    run(legacy_url, PRICES)
    copy_group(legacy_url, core_url)
    versions = "SELECT array_agg(xmin::text ORDER BY id) FROM market_data_cache"
    before = run(core_url, versions)
    forgotten = "UPDATE ops.copy_fingerprints SET source_seen = NULL, core_seen = NULL"
    run(core_url, forgotten)
    assert copy_group(legacy_url, core_url).tables[0].path == "unchanged"
    run(core_url, forgotten)
    run(legacy_url, f"UPDATE market_data_cache SET close = close + 1 WHERE id = {ONE_ROW}")
    found = copy_group(legacy_url, core_url).tables[0]
    assert (found.path, found.updated, found.unchanged) == ("staged", 1, 999)
    assert run(core_url, versions) != before


def test_a_table_that_somebody_fills_before_it_is_locked_is_merged(
    run: Run, legacy_url: URL, core_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(legacy_url, PRICES)
    run(core_url, PRICES.replace("'SYM'", "'OWN'"))
    monkeypatch.setattr("ops.copy.run.is_empty", lambda *_: True)
    found = copy_group(legacy_url, core_url).tables[0]
    assert (found.path, found.inserted) == ("staged", 1000)
    assert run(core_url, "SELECT count(*) FROM market_data_cache") == [(2000,)]
