"""What the settings say about mail that people with an account here send."""

from mailbox_server.app.consistency import EVERYONE
from mailbox_server.app.reporting import bounced_rules
from mailbox_server.app.settings import Settings
from mailbox_server.delivery.routing import RoutingRules
from mailbox_server.delivery.submitting.pace import PaceLimits, PaceRule
from mailbox_server.delivery.submitting.rules import SubmissionRules
from mailbox_server.model.address import Address


def submission_rules(settings: Settings, routing: RoutingRules) -> SubmissionRules:
    """Limits, copies in Sent, and where mail between people here goes."""
    chosen = settings.submission
    copied = [each for each in chosen.sent_copies if each != EVERYONE]
    usual = PaceLimits(
        chosen.messages_per_hour,
        chosen.messages_per_day,
        chosen.strangers_per_hour,
        chosen.strangers_per_day,
    )
    rules = [PaceRule.parse(text, usual) for text in chosen.limits]
    return SubmissionRules(
        routing,
        hops=settings.smtp.hops,
        names_client=chosen.show_client_address,
        keeps_copies=frozenset(Address.parse(each).key for each in copied),
        copies_all=EVERYONE in chosen.sent_copies,
        pace=usual,
        paces={rule.key: rule.limits for rule in rules},
        bounced=bounced_rules(settings),
    )
