"""States as text: what was given comes back, and nothing else is a state."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.model.errors import StateMalformed
from mailbox_server.model.ids import ModSeq
from mailbox_server.model.state_token import StateToken

NUMBERS = st.integers(1, (1 << 63) - 1)


@given(stamp=NUMBERS, row=st.none() | NUMBERS, base=NUMBERS)
def test_what_is_written_is_read(stamp: int, row: int | None, base: int) -> None:
    """store.md §4.6: `<stamp>.<row id>~<base>`."""
    if base >= stamp:
        state = StateToken.at(ModSeq(stamp))
        assert str(state) == str(stamp) and not state.is_paging
    else:
        state = StateToken(ModSeq(stamp), row, ModSeq(base))
        assert str(state) == f"{stamp}{'' if row is None else f'.{row}'}~{base}"
        assert state.is_paging
    assert StateToken.parse(str(state)) == state


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "-1",
        "01",
        "1 ",
        "1.2",
        "1~1",
        "1~2",
        "2.0~1",
        "2.3",
        "2.3~",
        "9" * 19,
        f"9.{'9' * 19}~1",
        "\u0661",
        "9" * 5_000,
    ],
)
def test_what_was_never_given_is_refused(text: str) -> None:
    with pytest.raises(StateMalformed):
        StateToken.parse(text)
