"""Names of mailboxes in their one stored form."""

import pytest

from mailbox_server.model.mailbox import mailbox_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("inbox", "INBOX"),
        ("InBoX/x", "INBOX/x"),
        ("inboxes", "inboxes"),
        ("a/inbox", "a/inbox"),
        ("ınbox", "ınbox"),
        ("ınbox/x", "ınbox/x"),
    ],
)
def test_inbox_is_one_name_in_any_case_of_ascii(text: str, name: str) -> None:
    assert mailbox_name(text) == name
