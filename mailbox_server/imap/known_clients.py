"""Client programs known to break on a capability, and which, why, and where that is told.

What else can be switched for a program, or for an account, has a name here like a capability.

`mailbox-server config switches` shows the table; `[imap] show` overrules a row for the same
client.
"""

from dataclasses import dataclass
from typing import Final

from mailbox_server.model.switches import Deed, SwitchRule, Whom

NEW_MAIL_AT_ANY_TIME: Final = "NEW-MAIL-AT-ANY-TIME"
"""Hidden, EXISTS comes in IDLE and behind NOOP and CHECK only.

RFC 9051 §5.2 wants it told with every command; who takes no notice of it there hears of it
too late otherwise.
"""
BEHAVIOR: Final = frozenset({NEW_MAIL_AT_ANY_TIME})


@dataclass(frozen=True, slots=True)
class KnownCase:
    """One program; seen: where others wrote of it, or the test that shows it."""

    rule: SwitchRule
    reason: str
    seen: str


def _hidden_from(client: str, capability: str, version: str = "") -> SwitchRule:
    return SwitchRule(Deed.HIDE, Whom.CLIENT, client.casefold(), version, frozenset((capability,)))


KNOWN_CASES: Final = (
    # It belongs to Outlook's new and mobile versions, which connect from Microsoft's cloud.
    KnownCase(
        _hidden_from("Microsoft Office 365", "UIDONLY"),
        "enables it and then fetches by message numbers all the same",
        "modern-email/defects #49, mjl-/mox #388",
    ),
    KnownCase(
        _hidden_from("Thunderbird", NEW_MAIL_AT_ANY_TIME),
        "takes no notice of mail told behind a FETCH, and idles without having looked",
        "tests/e2e/test_thunderbird.py",
    ),
)
"""Literal, in the order in which it is shown."""
