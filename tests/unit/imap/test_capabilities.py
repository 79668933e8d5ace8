"""The capability table says what the rest of the house can do."""

import re
from typing import Any, cast

import pytest

from mailbox_server.auth.sasl import MECHANISMS
from mailbox_server.imap.capabilities import (
    CAPABILITIES,
    SWITCHABLE,
    capability_list,
    extension,
)
from mailbox_server.imap.command_row import CommandTable
from mailbox_server.imap.commands import COMMANDS
from mailbox_server.imap.known_clients import BEHAVIOR, KNOWN_CASES, KnownCase
from mailbox_server.imap.limits import ImapLimits
from mailbox_server.imap.session import Extension, Security, Services, Session
from mailbox_server.model.address import parse_ip
from mailbox_server.model.ports import Silence, SystemClock
from mailbox_server.model.switches import ClientProgram, Deed, Switches, SwitchRule, Whom


def test_the_mechanisms_offered_are_those_spoken() -> None:
    offered = [row.name.removeprefix("AUTH=") for row in CAPABILITIES if "AUTH=" in row.name]
    assert offered == [row.name for row in MECHANISMS]


def test_what_goes_by_number_is_known_for_it() -> None:
    """UID FETCH has its FETCH, and so on; EXPUNGE names no message."""
    names = {row.name.removeprefix("UID ") for row in COMMANDS if row.name.startswith("UID ")}
    assert {row.name for row in COMMANDS if row.by_number} == names - {"EXPUNGE"}


def test_each_row_has_its_rule_and_stands_once() -> None:
    names = [row.name for row in CAPABILITIES]
    assert len(set(names)) == len(names)
    assert all(row.rfc for row in CAPABILITIES)
    assert len(CommandTable(COMMANDS).rows) == len(COMMANDS)
    assert all(row.rfc.startswith("RFC ") for row in COMMANDS)


def test_each_row_tells_the_commands_that_it_brings_or_changes() -> None:
    commands = {row.name for row in COMMANDS}
    told = {name for row in CAPABILITIES for name in row.commands}
    assert told == commands
    assert all(len(set(row.commands)) == len(row.commands) for row in CAPABILITIES)
    assert {row.name for row in CAPABILITIES if not row.commands} == {"LITERAL+", "INPROGRESS"}
    (by_uid,) = (row for row in CAPABILITIES if row.name == "UIDONLY")
    assert set(by_uid.commands) == {row.name for row in COMMANDS if row.by_number}


def session(*rules: SwitchRule, program: ClientProgram | None = None) -> Session:
    nothing = cast(Any, None)
    services = Services(
        nothing,
        nothing,
        nothing,
        SystemClock(),
        Silence(),
        ImapLimits(),
        offers_tls=False,
        loopback_logins=False,
        switches=Switches((case.rule for case in KNOWN_CASES), rules),
    )
    peer = parse_ip("::1")
    assert peer is not None
    made = Session(services, nothing, nothing, connection="c", peer=peer, security=Security.TLS)
    if program is not None:
        made.introduce(program)
    return made


def hide(text: str) -> SwitchRule:
    return SwitchRule.parse(Deed.HIDE, text)


def test_what_can_be_enabled() -> None:
    anybody = session()
    assert extension("CONDSTORE", anybody) is Extension.CONDSTORE
    assert extension("IMAP4REV2", anybody) is Extension.REV2
    assert extension("IMAP4rev1", anybody) is None
    assert {row.enables for row in CAPABILITIES if row.enables} == set(Extension)
    shown = {extension(row.name, anybody) for row in CAPABILITIES} - {None}
    assert shown == set(Extension)


def test_what_is_switched_off_is_neither_shown_nor_enabled() -> None:
    broken = session(hide("client Broken: qresync"), program=ClientProgram("broken mail", "1"))
    assert extension("QRESYNC", broken) is None
    assert extension("CONDSTORE", broken) is Extension.CONDSTORE
    assert b"QRESYNC" not in capability_list(broken).split()
    assert b"QRESYNC" in capability_list(session(hide("client Broken: qresync"))).split()


def test_who_has_no_condstore_has_no_qresync() -> None:
    without = session(hide("everyone: CONDSTORE"))
    assert extension("QRESYNC", without) is None
    assert not {b"CONDSTORE", b"QRESYNC"} & set(capability_list(without).split())
    without.enable_condstore()
    assert not without.enabled


def test_what_is_only_not_shown_can_be_enabled() -> None:
    assert b"UIDONLY" not in capability_list(session()).split()
    assert extension("UIDONLY", session()) is Extension.UIDONLY
    shown = session(SwitchRule.parse(Deed.SHOW, "client Fine: UIDONLY"))
    shown.introduce(ClientProgram("Fine", "1"))
    assert b"UIDONLY" in capability_list(shown).split()
    assert extension("UIDONLY", session(hide("everyone: UIDONLY"))) is None
    office = session(program=ClientProgram("Microsoft Office 365", "1"))
    assert extension("UIDONLY", office) is None


def test_what_passwords_rest_on_cannot_be_switched() -> None:
    assert not {"IMAP4REV1", "STARTTLS", "LOGINDISABLED"} & SWITCHABLE


def test_each_known_case_says_why_and_where_that_is_told() -> None:
    assert KNOWN_CASES
    assert all(case.reason and re.search(r"#\d|^tests/", case.seen) for case in KNOWN_CASES)
    assert all(case.rule.whom is Whom.CLIENT for case in KNOWN_CASES)


@pytest.mark.parametrize(
    "case",
    [case for case in KNOWN_CASES if not case.rule.capabilities <= BEHAVIOR],
    ids=lambda case: case.rule.name,
)
def test_each_known_case_changes_what_that_program_gets(case: KnownCase) -> None:
    """Also where an operator shows the capability to everybody."""
    assert case.rule.capabilities <= SWITCHABLE
    known = ClientProgram(case.rule.name, case.rule.version)
    for name in case.rule.capabilities:
        everybody = SwitchRule.parse(Deed.SHOW, f"everyone: {name}")
        hidden, shown = (session(everybody, program=each) for each in (known, None))
        assert name not in capability_list(hidden).decode("ascii").upper().split()
        assert name in capability_list(shown).decode("ascii").upper().split()
        assert extension(name, hidden) is None
