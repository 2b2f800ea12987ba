"""Price files in the forms that people export, and what is doubtful about their content."""

import gzip
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from ops.errors import BadInputError
from ops.price_files import ACCEPTABLE
from ops.price_files.judging import Needed, judge, refuse_errors
from ops.price_files.reading import PriceRows, read_prices
from ops.trading_calendar import trading_days

HEADER = "symbol,date,open,high,low,close,volume"
ROWS = ["AAPL,2025-07-01,10,12,9,11,100", "SPY,2025-07-01,600,610,590,605,2500"]
SESSIONS = trading_days(date(2025, 7, 1), date(2025, 7, 31))


def read(folder: Path, *lines: str, end: str = "\n") -> PriceRows:
    path = folder / "prices.csv"
    path.write_bytes((end.join(lines) + end).encode())
    return read_prices(path)


def with_separator(separator: str) -> list[str]:
    return [line.replace(",", separator) for line in [HEADER, *ROWS]]


def with_header(header: str) -> list[str]:
    return [header, *ROWS]


def with_day(text: str) -> list[str]:
    return [HEADER, *(row.replace("2025-07-01", text) for row in ROWS)]


FORMS = {
    "semicolons": with_separator(";"),
    "tabs": with_separator("\t"),
    "bars": with_separator("|"),
    "Excel's hint before": ["sep=;", *with_separator(";")],
    "a separator at each end": [HEADER, *(f"{row},," for row in ROWS)],
    "lines of spaces": [HEADER, ROWS[0], "  ", ROWS[1]],
    "spaces after commas": with_separator(", "),
    "spaces before commas": with_separator(" ,"),
    "quotes after spaces": [HEADER, *('"' + row.replace(",", '", "') + '"' for row in ROWS)],
    "Ticker": with_header("Ticker,Date,Open,High,Low,Close,Volume"),
    "brackets": with_header("<TICKER>,<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>"),
    "only adjusted closes": with_header("symbol,date,open,high,low,Adj Close,volume"),
    "adj_close": with_header("symbol,date,open,high,low,adj_close,volume"),
    "datetime": with_header("symbol,datetime,open,high,low,close,volume"),
    "lower-case symbols": [HEADER, *(row.lower() for row in ROWS)],
    "Stooq's symbols": [HEADER, *(row.replace(",2025", ".US,2025") for row in ROWS)],
    "yfinance's index": with_day("2025-07-01 00:00:00-04:00"),
    "ISO time": with_day("2025-07-01T00:00:00"),
    "ISO time of UTC": with_day("2025-07-01T04:00:00Z"),
    "basic date": with_day("20250701"),
    "float volumes": [HEADER, *(f"{row}.0" for row in ROWS)],
    "blank lines": [HEADER, "", ROWS[0], "", ROWS[1], ""],
    "blank first line": ["", HEADER, *ROWS],
}


def content(rows: PriceRows) -> object:
    return rows.symbols.tolist(), rows.dates.tolist(), rows.values.tolist()


@pytest.mark.parametrize("lines", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_every_form_says_the_same(tmp_path: Path, lines: list[str], end: str) -> None:
    rows = read(tmp_path, *lines, end=end)
    assert content(rows) == content(read(tmp_path, HEADER, *ROWS))
    assert rows.rejected == ()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_text_as_excel_saves_it_says_the_same(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "prices.txt"
    path.write_text("\r\n".join(with_separator("\t")), encoding=encoding, newline="")
    assert content(read_prices(path)) == content(read(tmp_path, HEADER, *ROWS))


HEADERS = [
    ("date,open,high,low,close,volume", "the header lacks symbol; give a row per symbol and day"),
    ("Price,Close,High,Low,Open,Volume", "the header lacks symbol, date; give a row per symbol"),
    ("symbol,date,open,high,low,close,close,volume", "the header names close twice; leave one"),
    ("Symbol,SYMBOL,date,open,high,low,close,volume", "the header names symbol twice"),
    ("<!DOCTYPE html>", "the header lacks symbol, date, open"),
    ("", "the header lacks symbol, date, open"),
]


@pytest.mark.parametrize(("header", "complaint"), HEADERS)
def test_a_header_that_does_not_say_what_is_what_is_refused(
    tmp_path: Path, header: str, complaint: str
) -> None:
    with pytest.raises(BadInputError, match=complaint):
        read(tmp_path, header, *ROWS)


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (b"PK\x03\x04\x14\x00 xl/workbook.xml", "a workbook or an archive; save its sheet as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a workbook or an archive"),
        (gzip.compress(b"PK\x03\x04"), "a workbook or an archive"),
        ("symbol,straße".encode("latin-1"), "it is not text in UTF-8"),
        (b"\x28\xb5\x2f\xfd zstd", "it is not text in UTF-8"),
        (f'{HEADER}\n"{"A" * 200_000}"\n'.encode(), "line 2 does not parse: field larger"),
    ],
    ids=["xlsx", "xls", "xlsx in gzip", "Latin-1", "zstd", "a cell without end"],
)
def test_what_is_no_text_of_rows_is_refused(tmp_path: Path, raw: bytes, complaint: str) -> None:
    path = tmp_path / "prices.csv"
    path.write_bytes(raw)
    with pytest.raises(BadInputError, match=complaint):
        read_prices(path)


def test_of_two_columns_of_closes_it_takes_the_traded_one_and_says_so(tmp_path: Path) -> None:
    rows = read(
        tmp_path, "symbol,date,open,high,low,Adj Close,Close,volume", "A,2025-07-01,1,2,1,1,2,3"
    )
    assert rows.column("close").tolist() == [2]
    (said,) = [each.text for each in judge(rows) if each.name == "closes"]
    assert said == "taken from 'Close', not from 'Adj Close'"


@pytest.mark.parametrize(
    ("place", "empty"),
    [
        *((place, "") for place in range(7)),
        (0, " "),
        (2, "nan"),
        (5, "null"),
        (6, "N/A"),
        (3, "-"),
        (4, "#N/A"),
    ],
)
def test_a_row_that_lacks_a_value_is_left_out_and_counted(
    tmp_path: Path, place: int, empty: str
) -> None:
    cells = ROWS[0].split(",")
    cells[place] = empty
    rows = read(tmp_path, HEADER, ",".join(cells), ROWS[1])
    assert rows.symbols.tolist() == ["SPY"]
    (said,) = [each.text for each in judge(rows) if each.name == "rejected"]
    assert said == "1 rows lack a value and are left out: line 2"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_lines_are_the_editors(tmp_path: Path, end: str) -> None:
    with pytest.raises(BadInputError, match="line 5 holds 'many' where a number belongs"):
        read(tmp_path, HEADER, "", ROWS[0], "", ROWS[1].replace("2500", "many"), end=end)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("A,2025-07-01,1;5,2,1,1,1", "line 2 holds '1;5' where a number belongs"),
        ("A,2025-07-01,1,2,1,1", "line 2 has too few columns"),
        ("A,2025-07-01,1,5,2,5,1,5,1,5,100", "line 2 has more columns than the header"),
        ("A,2025-07-01,1,2,1,1,2,500", "line 2 has more columns than the header"),
        ('A,2025-07-01,1,2,1,1,"2,500"', "'2,500' where a number belongs, as 1234.5"),
        ('A,2025-07-01,"1,5",2,1,1,1', "'1,5' where a number belongs, as 1234.5"),
        ("A,2025-07-01,$1,2,1,1,1", "line 2 holds '\\$1' where a number belongs"),
        ("A,2025-07-01,1,2,1,1,1.2M", "line 2 holds '1.2M' where a number belongs"),
        ("A,2025-07-01,1,2,1,0.00004,1", "line 2 has an impossible close"),
        ("A,2025-07-01,1,99999999.99999,1,1,1", "line 2 has an impossible high"),
        ("A,2025-07-01,1,2,1,1,-100", "line 2 has an impossible volume"),
        ("A,07/01/2025,1,2,1,1,1", "the date '07/01/2025' is not written as YYYY-MM-DD"),
        ("A,1751328000,1,2,1,1,1", "the date '1751328000' is not written as YYYY-MM-DD"),
        ("A,45839,1,2,1,1,1", "the date '45839' is not written as YYYY-MM-DD"),
        ("A,Jul 1 2025,1,2,1,1,1", "the date 'Jul 1 2025' is not written as YYYY-MM-DD"),
        ("A\0B,2025-07-01,1,2,1,1,1", "line 2 has no usable symbol: 'A.x00B'"),
        ("A\u200b,2025-07-01,1,2,1,1,1", "line 2 has no usable symbol"),
        ("# made by hand", "line 2 has too few columns"),
        ("A,01.07.2025,1,2,1,1,1", "line 2: the date '01.07.2025' is not written as YYYY-MM-DD"),
        ("A,2025-07-32,1,2,1,1,1", "line 2: the date '2025-07-32' is not written as YYYY-MM-DD"),
        ("A,2025-07-01,1,inf,1,1,1", "line 2 has an impossible high: A,2025-07-01,1,inf,1,1,1"),
        ("A,2025-07-01,1,2,0,1,1", "line 2 has an impossible low"),
        ("A,2025-07-01,1,2,1,1,0.5", "line 2 has an impossible volume"),
        (f"{'A' * 21},2025-07-01,1,2,1,1,1", "line 2 has no usable symbol"),
        (",,,,,,", "it holds no row without an empty cell"),
    ],
)
def test_what_no_market_quotes_is_refused(tmp_path: Path, row: str, complaint: str) -> None:
    with pytest.raises(BadInputError, match=complaint):
        read(tmp_path, HEADER, row)


def history(change: Callable[[int], float], symbol: str = "SPY") -> list[str]:
    """July 2025 with a close of 100 times `change(number of the session)`."""
    closes = [100 * change(number) for number in range(len(SESSIONS))]
    return [
        f"{symbol},{day},{close},{close},{close},{close},1"
        for day, close in zip(SESSIONS, closes, strict=True)
    ]


def level(number: int) -> float:
    return 1.0


# name -> rows, the concern's name, whether it is an error, and words of it
DOUBTS = {
    "high below low": (["A,2025-07-01,5,4,6,5,1"], "high-below-low", True, r"A \S+ \(line 2\)"),
    "close above high": (["A,2025-07-01,5,6,4,7,1"], "close-outside-day", False, r"A 2025-07-01"),
    "open below low": (["A,2025-07-01,3,6,4,5,1"], "close-outside-day", False, r"\(line 2\)"),
    "two prices": (
        ["A,2025-07-01,5,6,4,5,1", "A,2025-07-01,5,6,4,6,1"],
        "contradiction",
        True,
        r"A 2025-07-01 \(line 3\) differs from line 2",
    ),
    "two volumes": (
        ["A,2025-07-01,5,6,4,5,1", "B,2025-07-01,1,1,1,1,1", "a,2025-07-01 00:00,5,6,4,5,2"],
        "contradiction",
        True,
        r"A 2025-07-01 \(line 4\) differs from line 2",
    ),
    "said twice": (["A,2025-07-01,5,6,4,5,1"] * 2, "repeated", False, "1 rows .*: line 3"),
    "a Saturday": (["A,2025-07-05,5,6,4,5,1"], "no-session", False, "1 days .*: 2025-07-05"),
    "a holiday": (["A,2025-07-04,5,6,4,5,1"], "no-session", False, "NYSE: 2025-07-04"),
    "a day to come": (["A,2099-07-01,5,6,4,5,1"], "future", False, "1 days .*: 2099-07-01"),
    "one row": ([*history(level, "A"), ROWS[1]], "few-days", False, r"1 symbols .*: SPY \(1\)"),
    "two days": (history(level)[:2], "few-days", False, r"SPY \(2\)"),
    "large volume": (["A,2025-07-01,5,6,4,5,3000000000"], "volume", False, "kept as 2,147,483,647"),
    "all times 100": (
        history(lambda number: 100 if number >= 9 else 1),
        "level-shift",
        True,
        rf"SPY {SESSIONS[9]} \(line 11\) from 100 to 10000",
    ),
    "divided by 10": (history(lambda n: 0.1 if n >= 9 else 1), "level-shift", True, "100 to 10"),
    "on the last day": (history(lambda n: 5.1 if n == 21 else 1), "level-shift", True, "to 510"),
    "one wrong close": (history(lambda n: 9 if n == 9 else 1), "large-move", False, "100 to 900"),
    "a 2:1 split": (history(lambda n: 0.5 if n > 9 else 1), "large-move", False, "from 100 to 50"),
    "times 4": (history(lambda n: 4 if n > 9 else 1), "large-move", False, "from 100 to 400"),
    "thin": (history(level)[:13], "coverage", True, "1 needed symbols .*: SPY 59%"),
    "absent": (history(level, "A"), "coverage", True, "SPY 0%"),
    "a hole": ([*history(level)[:9], *history(level)[12:]], "holes", False, "last: SPY 3$"),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "name", "error", "words"), DOUBTS.values(), ids=DOUBTS.keys())
def test_what_is_doubtful_is_named(
    tmp_path: Path, lines: list[str], name: str, error: bool, words: str
) -> None:
    rows = read(tmp_path, HEADER, *lines)
    needed = Needed(("SPY",), SESSIONS[0], SESSIONS[-1])
    concerns = judge(rows, needed if name in ("coverage", "holes") else None)
    (found,) = [each for each in concerns if each.name == name]
    assert found.error == error
    assert re.search(words, found.text), found.text
    others = [each.name for each in concerns if each.error and each.name != name]
    assert others == []
    if error:
        with pytest.raises(BadInputError, match=f"correct it, or accept it by `--accept {name}`"):
            refuse_errors(rows, concerns, set(ACCEPTABLE) - {name})
    refuse_errors(rows, concerns, [name])


def test_a_sound_history_raises_no_doubt(tmp_path: Path) -> None:
    rows = read(tmp_path, HEADER, *history(lambda n: 1.5 ** (n % 2)), *history(level, "OTHER"))
    assert judge(rows, Needed(("SPY", "OTHER"), SESSIONS[0], SESSIONS[-1])) == []


def test_a_change_from_one_symbol_to_the_next_is_no_move(tmp_path: Path) -> None:
    rows = read(tmp_path, HEADER, *history(level), *history(lambda n: 50, "T"))
    assert judge(rows) == []


def test_the_worst_are_named_first_and_the_rest_counted(tmp_path: Path) -> None:
    lines = [line for n in range(7) for line in history(lambda d, n=n: 1 + n * (d > 9), f"S{n}")]
    (shift, move) = judge(read(tmp_path, HEADER, *lines))
    assert (shift.name, move.name) == ("level-shift", "large-move")
    assert [text.split()[0] for text in shift.text.split(": ")[1].split(", ")] == ["S6", "S5", "S4"]


def test_prices_older_than_the_calendar_are_taken(tmp_path: Path) -> None:
    assert [each.name for each in judge(read(tmp_path, HEADER, "A,1980-12-12,1,1,1,1,1"))] == [
        "few-days"
    ]
