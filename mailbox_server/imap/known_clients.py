"""Client programs known to break on a capability, and which, why, and where that is told.

`mailbox-server config switches` shows the table; `[imap] show` overrules a row for the same
client.
"""

from dataclasses import dataclass
from typing import Final

from mailbox_server.model.switches import Deed, SwitchRule, Whom


@dataclass(frozen=True, slots=True)
class KnownCase:
    """One program; seen: where others wrote of it."""

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
)
"""Literal, in the order in which it is shown."""
