"""Base subjects by RFC 5256 §2.1."""

import pytest

from mailbox_server.mime.base_subject import base_subject


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("hello", "hello"),
        ("Re: hello", "hello"),
        ("RE : hello", "hello"),
        ("Re: Fwd: FW: re: hello", "hello"),
        ("Re[2]: hello", "hello"),
        ("[list] Re: hello", "hello"),
        ("Re: [list] hello", "hello"),
        ("[a] [b] hello", "hello"),
        ("[a][b]Re[c]: hello", "hello"),
        ("hello (fwd)", "hello"),
        ("hello (fwd) (FWD)  ", "hello"),
        ("[Fwd: hello]", "hello"),
        ("[fwd: Re: hello (fwd)]", "hello"),
        ("Re: [Fwd: [Fwd: Re: hello]]", "hello"),
        ("[list]", "[list]"),
        ("Re: [list]", "[list]"),
        ("Re:", ""),
        ("", ""),
        ("Regarding: x", "Regarding: x"),
        ("two \t\r\n words", "two words"),
        ("Aw: hello", "Aw: hello"),
    ],
)
def test_base(subject: str, expected: str) -> None:
    assert base_subject(subject) == expected


@pytest.mark.parametrize("piece", ["re:", "[a]", "[", "[fwd:", "(fwd)", " ", "re[", "]"])
def test_long_subjects_are_read_through(piece: str) -> None:
    assert len(base_subject(piece * 200_000)) <= 1_000
