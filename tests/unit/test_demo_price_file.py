"""A price file is loaded whole or refused in one line that says why."""

import gzip
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.calculations.factors import REQUIRED_ETFS
from flows import cli
from ops.demo import price_file
from ops.demo.book import demo_book
from ops.demo.catalogue import catalogue
from ops.demo.prices import PriceHistory
from ops.errors import BadInputError
from ops.legacy_demo import judged_once, price_history
from ops.settings import OperatorSettings


def load_prices_csv(path: Path) -> PriceHistory:
    """Of the three days that these files have, most sessions are missing."""
    return price_file.judged_prices(path, accept=["coverage"])[0]


HEADER = "symbol,date,open,high,low,close,volume"
DAYS = ("2024-06-20", "2025-06-30", "2025-12-19")


def tidy_lines() -> list[str]:
    """The smallest file that the demo accepts."""
    symbols = sorted({*demo_book().held_symbols, *REQUIRED_ETFS})
    return [HEADER] + [
        f"{symbol},{day},{price},{price + 1},{price - 1},{price + 0.5},{1000 + number}"
        for symbol in symbols
        for number, day in enumerate(DAYS)
        for price in (catalogue()[symbol].anchor_close,)
    ]


def written(folder: Path, lines: list[str]) -> Path:
    path = folder / "prices.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_plain_file_becomes_matrices(tmp_path: Path) -> None:
    history = load_prices_csv(written(tmp_path, tidy_lines()))
    assert history.source == "prices.csv"
    assert history.dates.astype(str).tolist() == list(DAYS)
    assert history.close.shape == (3, len(history.symbols))
    apple = history.column["AAPL"]
    assert history.close[1, apple] == 204.7389 + 0.5
    assert history.open[1, apple] == 204.7389
    assert history.volume[:, apple].tolist() == [1000, 1001, 1002]


def test_what_was_judged_is_not_read_again(tmp_path: Path) -> None:
    path = written(tmp_path, tidy_lines())
    settings = OperatorSettings(PRICES=path, PRICES_ACCEPT="coverage")
    judged_once(path, settings.PRICES_ACCEPT)
    path.unlink()
    assert price_history(settings).source == "prices.csv"


def test_a_missing_day_of_a_symbol_is_a_hole(tmp_path: Path) -> None:
    lines = [line for line in tidy_lines() if not line.startswith("KO,2025-06-30")]
    history = load_prices_csv(written(tmp_path, lines))
    assert np.isnan(history.close[:, history.column["KO"]]).tolist() == [False, True, False]


def compressed(folder: Path, lines: list[str]) -> Path:
    path = folder / "prices.anything"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def shuffled(folder: Path, lines: list[str]) -> Path:
    rows = [line.split(",") for line in lines]
    turned = [[*row[::-1], "extra"] for row in rows]
    return written(folder, [",".join(row) for row in [turned[0], *turned[:0:-1]]])


def with_windows_ends(folder: Path, lines: list[str]) -> Path:
    path = folder / "prices.csv"
    path.write_bytes(("\ufeff" + "\r\n".join(lines) + "\r\n").encode())
    return path


def with_capitals_and_quotes(folder: Path, lines: list[str]) -> Path:
    quoted = ['"' + line.replace(",", '","') + '"' for line in lines[1:]]
    return written(folder, [HEADER.upper(), *quoted])


@pytest.mark.parametrize(
    "write", [compressed, shuffled, with_windows_ends, with_capitals_and_quotes]
)
def test_the_same_content_in_another_form_has_the_same_fingerprint(
    tmp_path: Path, write: Callable[[Path, list[str]], Path]
) -> None:
    plain = load_prices_csv(written(tmp_path, tidy_lines()))
    assert load_prices_csv(write(tmp_path, tidy_lines())).fingerprint == plain.fingerprint


def test_another_price_gives_another_fingerprint(tmp_path: Path) -> None:
    plain = load_prices_csv(written(tmp_path, tidy_lines()))
    lines = tidy_lines()
    lines[1] = lines[1].replace(",1000", ",1001")
    assert load_prices_csv(written(tmp_path, lines)).fingerprint != plain.fingerprint


def edited(old: str, new: str) -> Callable[[list[str]], list[str]]:
    """Replace `old` by `new` in the first data row that holds it."""

    def edit(lines: list[str]) -> list[str]:
        number = next(n for n, line in enumerate(lines) if n and old in line)
        return [*lines[:number], lines[number].replace(old, new), *lines[number + 1 :]]

    return edit


def without(*symbols: str) -> Callable[[list[str]], list[str]]:
    return lambda lines: [line for line in lines if line.split(",")[0] not in symbols]


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda lines: [], "header lacks symbol, date"),
        (lambda lines: [HEADER], "holds no rows"),
        (lambda lines: [HEADER.replace("close", "last"), *lines[1:]], "header lacks close"),
        (lambda lines: lines[1:], "header lacks symbol"),
        (edited(",1001", ",many"), "line 3 holds 'many' where a number belongs"),
        (edited(",1002", ""), "line 4 has too few columns"),
        (edited("2025-06-30", "30/06/2025"), "not written as YYYY-MM-DD"),
        (edited("2025-06-30", "2025-06-31"), "not written as YYYY-MM-DD"),
        (edited("AAPL,2025-06-30,204.7389", "AAPL,2025-06-30,0"), "impossible open: AAPL"),
        (edited("AAPL,2025-06-30,204.7389", "AAPL,2025-06-30,inf"), "impossible open"),
        (edited("205.2389", "-205.2389"), "impossible close"),
        (edited("205.2389", "123456789"), "impossible close"),
        (edited(",1000", ",-1"), "impossible volume"),
        (edited(",1000", ",10.5"), "impossible volume"),
        (edited("AAPL", "A" * 21), "no usable symbol"),
        (
            lambda lines: [*lines, lines[1] + "0"],
            r"AAPL 2024-06-20 \(line \d+\) differs from line 2",
        ),
        (without("KO", "T"), "lacks 2 symbols of the demo book: KO, T"),
        (without(*demo_book().held_symbols[:9]), r"lacks 9 symbols .*, \.\.\.$"),
        (without("TLT"), "lacks 1 factor ETFs: TLT"),
        (lambda lines: [x for x in lines if DAYS[0] not in x], "covers 2025-06-30..2025-12-19"),
        (lambda lines: [x for x in lines if DAYS[2] not in x], "the demo needs 2024-12-03.."),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, edit: Callable[[list[str]], list[str]], complaint: str
) -> None:
    path = written(tmp_path, edit(tidy_lines()))
    with pytest.raises(BadInputError, match=complaint) as refusal:
        load_prices_csv(path)
    assert "\n" not in str(refusal.value)
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (gzip.compress(HEADER.encode(), mtime=0)[:-9], "gzip data is damaged"),
        (b"\x1f\x8b" + b"no gzip at all", "gzip data is damaged"),
        (b"\xff\xfe\x00binary", "not text in UTF-8"),
    ],
)
def test_damaged_bytes_are_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "prices.csv.gz"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=complaint):
        load_prices_csv(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no such file"):
        load_prices_csv(tmp_path / "absent.csv")
    with pytest.raises(BadInputError, match="cannot be read"):
        load_prices_csv(tmp_path)


def test_the_template_names_what_is_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["sigmasight", "prices", "--template"])
    with pytest.raises(SystemExit):
        cli.main()
    said = capsys.readouterr()
    header, *rows = said.out.splitlines()
    assert header == HEADER
    assert [row.split(",")[0] for row in rows] == sorted(
        {*demo_book().held_symbols, *REQUIRED_ETFS}
    )
    assert "on every session of the NYSE from 2024-12-03 to 2025-12-19" in said.err


@pytest.mark.soak
def test_the_book_was_entered_at_the_real_closes() -> None:
    path = os.environ.get("REAL_PRICES")
    if path is None:
        pytest.skip("REAL_PRICES names no file of real prices")
    history: PriceHistory = load_prices_csv(Path(path))
    row = int(np.flatnonzero(history.dates == np.datetime64("2025-06-30"))[0])
    for symbol in demo_book().held_symbols:
        close = history.close[row, history.column[symbol]]
        assert close == catalogue()[symbol].anchor_close, symbol
