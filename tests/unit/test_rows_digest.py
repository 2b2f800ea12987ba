"""What a digest of rows tells apart, and what it does not."""

import pytest

from ops.copy.stream import RowsDigest

SENT = [b"\0\2one", b"\0\2two", b"\0\2two", b"\0\2"]


def digest(*chunks: list[bytes]) -> RowsDigest:
    found = RowsDigest()
    for chunk in chunks:
        found.add(chunk)
    return found


@pytest.mark.parametrize(
    ("arrived", "same"),
    [
        ([SENT], True),
        ([list(reversed(SENT))], True),
        ([SENT[3:], [], SENT[:3]], True),
        ([SENT[:3]], False),
        ([[*SENT, b""]], False),
        ([[b"\0\2one", b"\0\2one", b"\0\2two", b"\0\2"]], False),
        ([[b"\0\2onf", *SENT[1:]]], False),
        ([[b"\0\2two", b"\0\2onetwo", b"\0\2", b"\0\2"]], False),
        ([[b"\0\2ontw", b"\0\2eo", *SENT[2:]]], False),
    ],
)
def test_rows_are_told_apart_by_what_they_say_and_how_often_but_not_by_their_order(
    arrived: list[list[bytes]], same: bool
) -> None:
    assert (digest(*arrived) == digest(SENT)) is same
