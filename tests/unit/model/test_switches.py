"""Rules about capabilities: how they are written, whom they fit, and which goes before which."""

import pytest

from mailbox_server.model.address import Address
from mailbox_server.model.errors import BadInput
from mailbox_server.model.switches import ClientProgram, Deed, Switches, SwitchRule

ANN = Address.parse("ann@example.org")
OUTLOOK = ClientProgram("Microsoft Office 365", "15.20")


def hide(text: str) -> SwitchRule:
    return SwitchRule.parse(Deed.HIDE, text)


def show(text: str) -> SwitchRule:
    return SwitchRule.parse(Deed.SHOW, text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("everyone: idle", "everyone"),
        ("account Ann@Example.ORG: IDLE", "account ann@example.org"),
        ("  client  Some:Mail : IDLE", "client some:mail"),
        ("client Some Mail version 11.: IDLE", "client some mail version 11."),
    ],
)
def test_a_rule_is_read_and_written(text: str, written: str) -> None:
    rule = hide(text)
    assert rule.capabilities == {"IDLE"}
    assert str(rule) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "IDLE",
        "everyone:",
        ": IDLE",
        "everyone else: IDLE",
        "client: IDLE",
        "client : IDLE",
        "account ann: IDLE",
        "account a@-b-: IDLE",
        "somebody: IDLE",
    ],
)
def test_what_is_no_rule(text: str) -> None:
    with pytest.raises(BadInput):
        hide(text)


def test_a_client_is_known_by_how_its_name_and_version_begin() -> None:
    rule = hide("client microsoft office version 15.: UIDONLY")
    assert rule.fits(None, OUTLOOK)
    assert not rule.fits(None, ClientProgram("Microsoft Office 365", "16.0"))
    assert not rule.fits(None, ClientProgram("A Microsoft Office", "15.1"))
    assert not rule.fits(ANN, None)


def test_an_account_is_known_once_it_has_logged_in() -> None:
    rule = hide("account ANN@example.org: IDLE")
    assert rule.fits(ANN, None)
    assert not rule.fits(None, OUTLOOK)
    assert not rule.fits(Address.parse("bob@example.org"), None)


def test_the_nearer_word_goes_before() -> None:
    shipped = [hide("client Microsoft: UIDONLY")]
    asked = Switches(shipped, [show("everyone: UIDONLY")])
    assert asked.decisions(ANN, None) == {"UIDONLY": Deed.SHOW}
    assert asked.decisions(ANN, OUTLOOK) == {"UIDONLY": Deed.HIDE}
    assert asked.decisions(None, ClientProgram("mutt", "")) == {"UIDONLY": Deed.SHOW}
    account = Switches(shipped, [hide("account ann@example.org: X"), show("everyone: X")])
    assert account.decisions(ANN, None) == {"X": Deed.HIDE}
    assert account.decisions(None, None) == {"X": Deed.SHOW}


def test_among_equals_the_configuration_goes_before_and_hiding_before_showing() -> None:
    shipped = [hide("client Microsoft: UIDONLY")]
    overruled = Switches(shipped, [show("client Microsoft: UIDONLY")])
    assert overruled.decisions(None, OUTLOOK) == {"UIDONLY": Deed.SHOW}
    both = Switches((), [hide("everyone: X"), show("everyone: X")])
    assert both.decisions(None, None) == {"X": Deed.HIDE}
