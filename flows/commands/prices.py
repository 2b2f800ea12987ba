"""`sigmasight prices`, and how other commands are given a price file."""

import csv
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.options import Accept, AsJson
from flows.commands.output import err, out, report, say
from flows.commands.runner import one_step
from flows.progress import step
from ops.errors import BadInputError

if TYPE_CHECKING:
    from ops.price_files.judging import Concern


def prices(
    check: Annotated[
        Path | None, typer.Option("--check", help="Judge this file; nothing is started.")
    ] = None,
    accept: Accept = None,
    template: Annotated[
        bool, typer.Option("--template", help="Print a CSV to fill in, with what is needed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Judge a file of daily prices, or print which symbols and days the demo needs."""
    if (check is None) != template:
        raise BadInputError(
            "give either --check FILE or --template; see `sigmasight prices --help`"
        )
    if check is None:
        _print_template()
    else:
        _take_acceptance(accept)
        _check(check, as_json)


def give_prices(prices: Path | None, accept: Sequence[str] | None) -> None:
    """Tell the phases which price file is meant, once it is judged: before anything starts.

    Raises:
        BadInputError: the file cannot be used.
    """
    from ops.endpoints import given_legacy
    from ops.settings import operator_settings

    if prices is not None:
        os.environ["PRICES"] = str(prices)
    _take_acceptance(accept)
    settings = operator_settings()
    if settings.PRICES is not None and given_legacy(settings) is None:
        with step("prices"):
            from ops.legacy_demo import judged_once

            _show(judged_once(settings.PRICES, settings.PRICES_ACCEPT)[1])


def _take_acceptance(accept: Sequence[str] | None) -> None:
    from ops.settings import operator_settings

    if accept:
        os.environ["PRICES_ACCEPT"] = ",".join(accept)
    operator_settings.cache_clear()


def _check(path: Path, as_json: bool) -> None:
    """Show everything that is doubtful, then refuse as a rebuild would."""
    with one_step(f"read {path.name}"):
        from ops.demo.price_file import check_reach, needed_prices
        from ops.price_files.judging import judge, refuse_errors
        from ops.price_files.reading import read_prices
        from ops.settings import operator_settings

        rows = read_prices(path)
        concerns = judge(rows, needed_prices())
    first, last = rows.dates.min().item(), rows.dates.max().item()
    symbols = len({*rows.symbols.tolist()})
    said = f"{len(rows.lines):,} rows, {symbols} symbols, {first}..{last}, closes of {rows.close!r}"
    if not as_json:
        say(said)
        _show(concerns)
    try:
        check_reach(rows)
        refuse_errors(rows, concerns, operator_settings().PRICES_ACCEPT)
    except BadInputError as error:
        error.document = {"concerns": concerns}
        raise
    if as_json:
        read = {"rows": len(rows.lines), "symbols": symbols, "first": first, "last": last}
        report({**read, "concerns": concerns}, f"sigmasight rebuild --prices {path}")
    else:
        out().print("usable")


def _show(concerns: Sequence["Concern"]) -> None:
    for each in concerns:
        kind = "error" if each.error else "warning"
        line = f"prices: {kind}: {each.name}: {each.text}"
        err().print(line, markup=False, highlight=False)


def _print_template() -> None:
    from ops.demo.price_file import needed_prices
    from ops.price_files.reading import COLUMNS

    needed = needed_prices()
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([symbol, needed.first, *[""] * 5] for symbol in needed.symbols)
    err().print(
        f"needed: these {len(needed.symbols)} symbols on every session of the NYSE from "
        f"{needed.first} to {needed.last}; others may stand beside them",
        highlight=False,
    )
