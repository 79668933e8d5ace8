"""The capability table says what the rest of the house can do."""

from mailbox_server.auth.sasl import MECHANISMS
from mailbox_server.imap.capabilities import CAPABILITIES, extension
from mailbox_server.imap.command_row import CommandTable
from mailbox_server.imap.commands import COMMANDS
from mailbox_server.imap.session import Extension


def test_the_mechanisms_offered_are_those_spoken() -> None:
    offered = [row.name.removeprefix("AUTH=") for row in CAPABILITIES if "AUTH=" in row.name]
    assert offered == [row.name for row in MECHANISMS]


def test_each_row_has_its_rule_and_stands_once() -> None:
    names = [row.name for row in CAPABILITIES]
    assert len(set(names)) == len(names)
    assert all(row.rfc for row in CAPABILITIES)
    assert len(CommandTable(COMMANDS).rows) == len(COMMANDS)
    assert all(row.rfc.startswith("RFC ") for row in COMMANDS)


def test_what_can_be_enabled() -> None:
    assert extension("CONDSTORE") is Extension.CONDSTORE
    assert extension("IMAP4REV2") is Extension.REV2
    assert extension("IMAP4rev1") is None
    assert {row.enables for row in CAPABILITIES if row.enables} == set(Extension)
