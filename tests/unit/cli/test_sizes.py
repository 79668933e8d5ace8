"""Sizes are read as people write them, and anything else is wrong usage."""

import click
import pytest

from mailbox_server.cli.sizes import SIZE


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("0", 0),
        ("1048576", 1 << 20),
        ("500M", 500 << 20),
        ("5g", 5 << 30),
        ("5GiB", 5 << 30),
        ("5GB", 5 << 30),
        ("1k", 1024),
        (" 2T ", 2 << 40),
    ],
)
def test_sizes(text: str, octets: int) -> None:
    assert SIZE.convert(text, None, None) == octets


@pytest.mark.parametrize("text", ["", "-1", "5X", "1.5G", "G", "5 G", "9" * 15 + "T", "٣", "5G\n5"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(click.BadParameter):
        SIZE.convert(text, None, None)
