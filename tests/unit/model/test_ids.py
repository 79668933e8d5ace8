"""Outer ids and the row numbers behind them."""

import pytest

from mailbox_server.model.ids import (
    DepartureId,
    OutboundId,
    departure_object_id,
    outbound_object_id,
    row_number,
)


@pytest.mark.parametrize("number", [1, 31, 32, (1 << 63) - 1])
def test_an_id_leads_back(number: int) -> None:
    assert row_number("q", outbound_object_id(OutboundId(number))) == number
    assert row_number("s", departure_object_id(DepartureId(number))) == number


@pytest.mark.parametrize(
    "text", ["", "q", "s1", "Q1", "qw", "q-1", "q1 ", "q80000000000000000", "q8000000000000"]
)
def test_what_is_none_of_ours(text: str) -> None:
    assert row_number("q", text) is None
