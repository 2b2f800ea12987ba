"""Prices in a table that is not like ours, and their copy."""

from sqlalchemy.engine import URL

from ops.copy import TableReport, copy_group, parity

ROWS = "SELECT symbol, date::text, close, volume FROM market_data_cache ORDER BY 1, 2"

# A typed table of the columns that matter, in another order than ours, without any constraint.
LOOSE_TABLE = """
DROP TABLE market_data_cache;
CREATE TABLE market_data_cache (
    close {price}, low {price}, high {price}, open {price}, volume {volume}, note text,
    updated_at timestamp, date {date}, symbol varchar(60), id {id}
);
"""


def loose(
    price: str = "numeric", volume: str = "bigint", date: str = "date", id: str = "uuid"
) -> str:
    return LOOSE_TABLE.format(price=price, volume=volume, date=date, id=id)


def copied(legacy_url: URL, core_url: URL) -> TableReport:
    report = copy_group(legacy_url, core_url).tables[0]
    assert report.source_rows == report.accepted + report.rejected_rows
    assert parity(legacy_url, core_url)[0].holds
    return report
