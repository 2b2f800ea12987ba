"""Random foreign rows against an independent judgement in Python."""

import unicodedata
from collections.abc import Callable, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import URL

from ops.copy import copy_group, parity
from tests.integration.copy.conftest import TEXT_TABLE, Run

Texts = tuple[str | None, str | None, str | None, str | None, str]
Kept = dict[tuple[str, date], tuple[Decimal, int | None]]

WORDS = st.sampled_from(["NaN", "Infinity", "-Infinity", "", "n/a", "1e3", "0x", "12.5.1", "-"])
NUMBERS = st.one_of(
    st.none(),
    WORDS,
    st.integers(-(2**33), 2**33).map(str),
    st.decimals(-(10**9), 10**9, places=6).map(lambda value: f"{value:f}"),
)
SYMBOLS = st.one_of(
    st.none(),
    st.sampled_from(["A", "a", "BRK.B", "BRK/B", "Ü"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=24),
)
DATES = st.one_of(
    st.none(),
    st.sampled_from(["", "tomorrow", "2025-13-01", "infinity", "1/2/2025"]),
    st.dates(date(2025, 1, 1), date(2025, 1, 9)).map(str),
)
UPDATED = st.sampled_from(["2025-07-01", "2025-07-02", "2025-07-03"])
ROWS = st.lists(st.tuples(SYMBOLS, DATES, NUMBERS, NUMBERS, UPDATED), max_size=30)


def number(text: str | None) -> Decimal | None:
    """The finite number that a text says, if it says one."""
    try:
        value = Decimal(text or "")
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def blank(symbol: str) -> bool:
    """Whether nothing of it is seen: controls, spaces, and what only says where lines break."""
    unseen = "\x7f\xad\u180e\u2060\u2061\u2062\u2063\u2064\ufeff"
    return all(
        each <= " "
        or each in unseen
        or "\u2000" <= each <= "\u200f"
        or "\u2028" <= each <= "\u202f"
        or unicodedata.category(each) == "Zs"
        for each in symbol
    )


def judged(row: Texts) -> tuple[tuple[str, date], tuple[Decimal, int | None]] | None:
    """Key and values of a row that fits, by rules written a second time."""
    symbol, day, close_text, volume_text, _ = row
    close, volume = number(close_text), number(volume_text)
    if symbol is None or len(symbol) > 20 or blank(symbol) or close is None or day is None:
        return None
    try:
        key = (symbol, date.fromisoformat(day))
    except ValueError:
        return None
    price = close.quantize(Decimal("0.0001"), ROUND_HALF_UP)
    if abs(price) >= 10**8 or (close and not price) or (volume is None) != (volume_text is None):
        return None
    if volume is None:
        return key, (price, None)
    if volume != volume.to_integral_value() or not -(2**31) <= volume < 2**31:
        return None
    return key, (price, int(volume))


def expected(rows: Sequence[Texts]) -> tuple[Kept, int]:
    """Which rows stay and how many fit: of one key the newest, of equals the greatest values."""
    best: dict[tuple[str, date], tuple[str, Decimal, bool, int]] = {}
    fitting = 0
    for row in rows:
        verdict = judged(row)
        if verdict is not None:
            fitting += 1
            key, (price, volume) = verdict
            rank = (row[4], price, volume is not None, volume or 0)
            best[key] = max(rank, best.get(key, rank))
    kept = {
        key: (price, volume if given else None) for key, (_, price, given, volume) in best.items()
    }
    return kept, fitting


@settings(
    max_examples=settings().max_examples // 3,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=ROWS)
@example(rows=[])
@example(rows=[("A", "2025-01-01", "99999999.99995", None, "2025-07-01")])
@example(rows=[("A", "2025-01-01", "0.00005", "-2147483648", "2025-07-01")] * 3)
@example(rows=[("A", "2025-01-01", "0.000049", None, "2025-07-01")])
def test_every_row_is_accepted_or_rejected_as_the_oracle_says(
    run: Run,
    insert_texts: Callable[[URL, Sequence[Texts]], None],
    legacy_url: URL,
    core_url: URL,
    rows: list[Texts],
) -> None:
    run(legacy_url, TEXT_TABLE)
    run(core_url, "TRUNCATE market_data_cache")
    if rows:
        insert_texts(legacy_url, rows)
    report = copy_group(legacy_url, core_url).tables[0]
    kept, fitting = expected(rows)
    found = run(core_url, "SELECT symbol, date, close, volume FROM market_data_cache")
    assert {(row[0], row[1]): (row[2], row[3]) for row in found} == kept
    duplicates = sum(count for kind, count in report.rejected.items() if "duplicate" in kind)
    assert report.accepted + duplicates == fitting
    assert report.accepted + report.rejected_rows == report.source_rows == len(rows)
    assert run(core_url, "SELECT count(*) FROM ops.copy_rejects") == [(report.rejected_rows,)]
    assert parity(legacy_url, core_url)[0].holds
