"""Every sentence that a report says to people, in one place.

Plain words, no code and no abbreviation that the reader needs to know: what happened, and
what the reader can do.  Placeholders are the fields of PLACEHOLDERS; a test fills them all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mailbox_server.mime.reports.delivery_status import Action
from mailbox_server.model.bounce import Cause

PLACEHOLDERS: Final = frozenset(
    {"address", "domain", "checks", "since", "next_try", "until", "suggestion", "who", "date"}
    | {"server", "subject", "owner", "sender", "day", "month", "year", "hour", "minute", "count"}
    | {"lines"}
)


@dataclass(frozen=True, slots=True)
class Words:
    """What one cause is called.

    failed: what happened, where it is for good.  waiting: the same while we still try.
    advice: what the reader can do about a failure.
    """

    failed: str
    advice: str
    waiting: str


_NOT_NOW: Final = "The other server does not take the message at the moment."
_ASK_OTHERWISE: Final = "Please reach the recipient in another way."
_TELL_OPERATOR: Final = (
    "Please pass this report on to whoever runs this mail server; rewording the message will "
    "not help."
)

CAUSES: Final[Mapping[Cause, Words]] = MappingProxyType(
    {
        Cause.NO_SUCH_MAILBOX: Words(
            "There is no mailbox of this name at {domain}.",
            "Please check the spelling of the part before the @, and send the message again.",
            "The other server does not know this mailbox at the moment.",
        ),
        Cause.NO_SUCH_DOMAIN: Words(
            "There is no mail server for {domain}.",
            "Please check the spelling of the part after the @, and send the message again.",
            "The mail server for {domain} cannot be found at the moment.",
        ),
        Cause.NO_MAIL_DOMAIN: Words(
            "The owner of {domain} says that it takes no mail at all.",
            "Please check the spelling of the part after the @, or reach the recipient in "
            "another way.",
            "The owner of {domain} says that it takes no mail.",
        ),
        Cause.NOT_SERVED: Words(
            "The other server says that it is not the one to take mail for this address.",
            "Please check the spelling of the part after the @, or tell the recipient in another "
            "way: the records of their domain may lead to the wrong server.",
            "The other server says at the moment that it is not the one to take mail for this "
            "address.",
        ),
        Cause.DISABLED: Words(
            "This mailbox is closed: it exists no longer, or takes no mail.",
            _ASK_OTHERWISE,
            "This mailbox takes no mail at the moment.",
        ),
        Cause.MOVED: Words(
            "The recipient has moved to another address.",
            "The other server's answer below may name the new address.",
            "The recipient has moved to another address.",
        ),
        Cause.MALFORMED: Words(
            "The other server does not take this for a mail address.",
            "Please check the spelling of the address, and send the message again.",
            "The other server does not understand the address at the moment.",
        ),
        Cause.MAILBOX_FULL: Words(
            "The recipient's mailbox is full.",
            "Please send the message again in some days, or tell the recipient in another way.",
            "The recipient's mailbox is full.",
        ),
        Cause.TOO_LARGE: Words(
            "The message is larger than the other server takes.",
            "Please send it in smaller pieces, or send a link instead of an attachment.",
            "The message is larger than the other server takes at the moment.",
        ),
        Cause.SPAM: Words(
            "The other server took the message for spam.",
            "Please ask the recipient to allow your address, or write it in other words with "
            "fewer links and attachments.",
            "The other server suspects the message and does not take it at the moment.",
        ),
        Cause.REPUTATION: Words(
            "The other server distrusts this mail server or its network, whatever your message "
            "says.",
            _TELL_OPERATOR,
            "The other server distrusts this mail server at the moment.",
        ),
        Cause.SENDER_CHECKS: Words(
            "The other server found no proof that this mail server may send for your domain "
            "({checks}).",
            _TELL_OPERATOR,
            "The other server finds no proof at the moment that this mail server may send for "
            "your domain ({checks}).",
        ),
        Cause.POLICY: Words(
            "The other server refuses the message by a rule of its own.",
            "Its answer below may say which rule that is; otherwise please reach the recipient "
            "in another way.",
            "The other server does not take the message at the moment, by a rule of its own.",
        ),
        Cause.CONTENT: Words(
            "The other server does not take what the message contains, such as an attachment of "
            "a kind it forbids.",
            "Please send the message without the attachment, or in another form.",
            "The other server does not take what the message contains at the moment.",
        ),
        Cause.RATE: Words(
            "The other server got more messages or recipients than it takes at a time.",
            "Please send the message again later, to fewer recipients at a time.",
            "The other server gets more messages than it takes at a time.",
        ),
        Cause.GREYLISTED: Words(
            "The other server asked us to try again later, each time we tried.",
            "Please send the message again later, or reach the recipient in another way.",
            "The other server asks senders that it does not know yet to wait a little.",
        ),
        Cause.BUSY: Words(
            "The other server was busy or out of order.",
            "Please send the message again later.",
            "The other server is busy or out of order.",
        ),
        Cause.UNREACHABLE: Words(
            "The other server does not answer.",
            "Please check the spelling of the part after the @, or send the message again later.",
            "The other server does not answer.",
        ),
        Cause.INSECURE: Words(
            "The message could not be sent over a connection as secure as it has to be.",
            "Please reach the recipient in another way, or send the message again without "
            "demanding security, if its contents allow that.",
            "No connection can be made at the moment that is as secure as it has to be.",
        ),
        Cause.UNSUPPORTED: Words(
            "The other server cannot take messages of this form, such as addresses with letters "
            "beyond the English ones.",
            "Please use an address in plain English letters, or send the message in a simpler "
            "form.",
            "The other server cannot take messages of this form at the moment.",
        ),
        Cause.LOOP: Words(
            "The message went in circles between mail servers.",
            "Please tell the recipient in another way: their forwarding has to be repaired.",
            "The message goes in circles between mail servers.",
        ),
        Cause.EXPIRED: Words(
            "The message could not be delivered in the time there was for it.",
            "Please send the message again later, or reach the recipient in another way.",
            _NOT_NOW,
        ),
        Cause.ENDED_BY_OPERATOR: Words(
            "The people who run this mail server have stopped the delivery of the message.",
            "Please ask them why before you send the message again.",
            _NOT_NOW,
        ),
        Cause.UNKNOWN: Words(
            "The other server refused the message.",
            "Its answer below may say why; otherwise please reach the recipient in another way.",
            _NOT_NOW,
        ),
    }
)

GIVEN_UP: Final = "We have tried since {since} and have given up."
UNTOLD: Final = "{count} more messages failed in the same way since you were told last."
UNTOLD_ONE: Final = "One more message failed in the same way since you were told last."
NOTHING_LOST: Final = (
    "Nothing is lost: we try again on {next_try}, and keep trying until {until}. You need not do "
    "anything."
)
NOTHING_LOST_SOON: Final = (
    "Nothing is lost: we keep trying until {until}. You need not do anything."
)
SUGGESTION: Final = "Did you mean {suggestion}? You have written to that address before."

OPENINGS: Final[Mapping[Action, str]] = MappingProxyType(
    {
        Action.FAILED: "your message could not be delivered to {who}:",
        Action.DELAYED: "your message could not be delivered yet to {who}:",
        Action.DELIVERED: "your message has been delivered to {who}:",
        Action.RELAYED: "your message has been handed on for {who}:",
        Action.EXPANDED: "your message has been passed on to everybody who stands for {who}:",
    }
)
RELAYED: Final = (
    "The other server took the message, but does not tell us what becomes of it. You will hear "
    "again only if it reports something."
)
DELIVERED: Final = "The message lies in the mailbox."
EXPANDED: Final = "The address stands for several recipients; the message is on its way to them."

ONE: Final = "the following recipient"
SEVERAL: Final = "the following recipients"

GREETING: Final = "This is the mail server {server}."
ABOUT: Final = "It is about your message of {date}:"
ABOUT_SUBJECT: Final = 'It is about your message of {date} with the subject "{subject}":'
FORWARD_ABOUT: Final = "It is about the message of {date}:"
FORWARD_ABOUT_SUBJECT: Final = 'It is about the message of {date} with the subject "{subject}":'
FORWARD_OPENING: Final = (
    "a message from {sender} that came for {owner} could not be passed on to {who}:"
)
FORWARD_CLOSING: Final = (
    "Its sender was not told. You hear of each address once a day at most. If this happens again, "
    "please change where your mail is passed on to."
)
SAID: Final = "{server} said:"
SAID_HERE: Final = "What we noted:"
CLOSING_HEADER: Final = "Below are the details for mail programs, and the header of the message."
CLOSING_WHOLE: Final = "Below are the details for mail programs, and the message itself."

SUBJECTS: Final[Mapping[Action, str]] = MappingProxyType(
    {
        Action.FAILED: "Not delivered: {subject}",
        Action.DELAYED: "Not delivered yet: {subject}",
        Action.DELIVERED: "Delivered: {subject}",
        Action.RELAYED: "Handed on: {subject}",
        Action.EXPANDED: "Passed on: {subject}",
    }
)
NO_SUBJECT: Final = "your message"
SENDER_NAME: Final = "Mail server"

OVERDUE_SUBJECT: Final = "More mail could not be passed on"
OVERDUE_TEXT: Final = (
    "Hello,\n\n"
    "more messages that came for {owner} could not be passed on, in the same way as those of which "
    "you were told before:\n\n"
    "{lines}\n\n"
    "Their senders were not told. You hear of each address once a day at most. If this happens "
    "again, please change where your mail is passed on to.\n"
)
OVERDUE: Final = "    {address}: {count} messages since {since}"
OVERDUE_ONE: Final = "    {address}: one message since {since}"

PROBE_SUBJECT: Final = "Does mail from {owner} reach you?"
PROBE_TEXT: Final = (
    "Hello,\n\n"
    "messages from {owner} to you have come back several times lately. If you read this, all is "
    "well again: you need not do anything.\n\n"
    "If this message comes back as well, {owner} will not write to {address} any more.\n"
)

CHECKS_UNNAMED: Final = "SPF, DKIM or DMARC"
MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
MOMENT: Final = "{day} {month} {year}, {hour:02}:{minute:02} UTC"
