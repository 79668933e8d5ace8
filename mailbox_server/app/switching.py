"""From the configuration's lines about single accounts and clients to rules for sessions."""

from mailbox_server.app.configuration import unusable
from mailbox_server.app.settings import Settings
from mailbox_server.imap.capabilities import SWITCHABLE as IMAP_SWITCHABLE
from mailbox_server.imap.known_clients import BEHAVIOR, KNOWN_CASES
from mailbox_server.model.errors import BadInput
from mailbox_server.model.switches import Deed, Switches, SwitchRule, Whom
from mailbox_server.pop3.capabilities import SWITCHABLE as POP3_SWITCHABLE
from mailbox_server.pop3.extent import ExtentRule, Extents


def imap_rules(settings: Settings) -> list[SwitchRule]:
    """The configured rules for IMAP, in file order.  Raises BadInput."""
    hidden = [SwitchRule.parse(Deed.HIDE, text) for text in settings.imap.hide]
    return hidden + [SwitchRule.parse(Deed.SHOW, text) for text in settings.imap.show]


def pop3_rules(settings: Settings) -> list[SwitchRule]:
    """The configured rules for POP3.  Raises BadInput."""
    hidden = [SwitchRule.parse(Deed.HIDE, text) for text in settings.pop3.hide]
    return hidden + [SwitchRule.parse(Deed.SHOW, text) for text in settings.pop3.show]


def imap_switches(settings: Settings) -> Switches:
    """What ships with the program and what is configured; check_switches has passed."""
    return Switches((case.rule for case in KNOWN_CASES), imap_rules(settings))


def pop3_switches(settings: Settings) -> Switches:
    """What is configured; check_switches has passed."""
    return Switches(configured=pop3_rules(settings))


def pop3_extents(settings: Settings) -> Extents:
    """What POP3 shows to whom.  Raises BadInput; check_switches has passed."""
    return Extents(ExtentRule.parse(text) for text in settings.pop3.shown)


def check_switches(settings: Settings, source: str) -> None:
    """Raise SettingsMalformed for the first rule that cannot be used."""
    for key, texts, switchable in (
        ("imap.hide", settings.imap.hide, IMAP_SWITCHABLE | BEHAVIOR),
        ("imap.show", settings.imap.show, IMAP_SWITCHABLE | BEHAVIOR),
        ("pop3.hide", settings.pop3.hide, POP3_SWITCHABLE),
        ("pop3.show", settings.pop3.show, POP3_SWITCHABLE),
    ):
        for text in texts:
            try:
                rule = SwitchRule.parse(Deed.HIDE, text)
            except BadInput as wrong:
                raise unusable(source, key, text, str(wrong)) from wrong
            unknown = sorted(rule.capabilities - switchable)
            if unknown:
                wanted = f"capabilities that can be switched; {unknown[0]} is none"
                raise unusable(source, key, text, wanted)
            if key.startswith("pop3") and rule.whom is Whom.CLIENT:
                raise unusable(source, key, text, "everyone or account; POP3 clients have no name")
    for text in settings.pop3.shown:
        try:
            ExtentRule.parse(text)
        except BadInput as wrong:
            raise unusable(source, "pop3.shown", text, str(wrong)) from wrong
