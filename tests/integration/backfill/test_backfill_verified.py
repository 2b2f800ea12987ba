"""Batch and verification agree, whatever the book: each derives the figures by itself."""

from sqlalchemy.engine import URL

from ops.verify import verify
from tests.integration.backfill.book import FIRST, LAST, Book


def test_what_is_computed_of_every_case_passes(backfilled_cases: Book, ai_url: URL) -> None:
    report = verify(backfilled_cases.url, ai_url, None, FIRST, LAST)
    assert {one.name: one.detail for one in report.results if one.outcome == "fail"} == {}
