"""What of an account POP3 shows is read from the configuration, strictly."""

from datetime import timedelta

import pytest

from mailbox_server.model.address import Address
from mailbox_server.model.errors import BadInput
from mailbox_server.pop3.extent import Extent, ExtentRule, Extents

ANN, BOB = Address.parse("ann@example.org"), Address.parse("bob@example.org")


@pytest.mark.parametrize(
    ("text", "account", "extent"),
    [
        ("everyone: newest 90 days", "", Extent("INBOX", timedelta(days=90))),
        ("everyone: newest 1 day", "", Extent("INBOX", timedelta(days=1))),
        ("everyone: mailbox inbox", "", Extent()),
        ("account Ann@EXAMPLE.org: mailbox Lists/a: b, c", ANN.key, Extent("Lists/a: b, c")),
        (
            "account ann@example.org: newest 30 days of mailbox newest 2 days",
            ANN.key,
            Extent("newest 2 days", timedelta(days=30)),
        ),
    ],
)
def test_lines(text: str, account: str, extent: Extent) -> None:
    assert ExtentRule.parse(text) == ExtentRule(account, extent)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "everyone",
        "everyone: ",
        "everyone: INBOX",
        "everyone: newest 0 days",
        "everyone: newest -1 days",
        "everyone: newest 100000 days",
        "everyone: newest 3 days of ",
        "everyone: newest 3 days mailbox X",
        "everyone:  of mailbox X",
        "everyone: mailbox ",
        "everyone: mailbox a//b",
        "everyone: mailbox a\x00b",
        "client Outlook: mailbox X",
        "account : mailbox X",
        "account nobody: mailbox X",
        "everyone else: mailbox X",
    ],
)
def test_what_is_no_line(text: str) -> None:
    with pytest.raises(BadInput):
        ExtentRule.parse(text)


def test_an_accounts_line_replaces_everyones() -> None:
    extents = Extents(
        ExtentRule.parse(text)
        for text in ("account ann@example.org: mailbox Lists", "everyone: newest 7 days")
    )
    assert extents.of(ANN) == Extent("Lists")
    assert extents.of(BOB) == Extent("INBOX", timedelta(days=7))
    assert Extents().of(ANN) == Extent()
