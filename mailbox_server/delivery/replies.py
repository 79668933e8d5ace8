"""The replies of the journeys: what a peer reads about addresses, room and acceptance."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from mailbox_server.model.address import Address
from mailbox_server.model.ids import MessageId, message_object_id
from mailbox_server.model.reply import Reply, reply

RECIPIENT_OK: Final = reply(250, "2.1.5", "Recipient ok")
UNKNOWN: Final = reply(550, "5.1.1", "There is no such mailbox here; please check the address")
NOT_OURS: Final = reply(550, "5.7.1", "We do not take mail for that domain from strangers")
ROUTED_ADDRESS: Final = reply(
    550, "5.7.1", "Addresses that ask us to pass mail on are refused; use the plain address"
)
LITERAL: Final = reply(550, "5.7.1", "Mail to an address in brackets is taken for postmaster only")
TOO_MANY_WAYS: Final = reply(
    452,
    "4.5.3",
    "The recipients lead to too many mailboxes; send the others in another transaction",
)
ALONE: Final = reply(
    452, "4.5.3", "A return address is taken alone; send the others in another transaction"
)
NOTED: Final = reply(250, "2.0.0", "Ok, noted")
OVER_QUOTA: Final = reply(452, "4.2.2", "The mailbox is full; please try again later")
DISK_LOW: Final = reply(452, "4.3.1", "The server has too little room; please try again later")
ALIAS_TOO_WIDE: Final = reply(
    451, "4.3.5", "The alias leads to too many addresses; its owner has to repair it"
)
NOBODY_YET: Final = reply(451, "4.3.5", "No mailbox has been set up here yet")
UNFORESEEN: Final = reply(451, "4.3.0", "Something went wrong here; please try again later")
SENDERS_TOO_MANY: Final = reply(550, "5.6.0", "The message must have exactly one From field")
SENDERS_BEYOND: Final = reply(550, "5.6.0", "The message names too many senders")
SENDER_UNREADABLE: Final = reply(
    550, "5.6.0", "The From or Sender field holds no address, or one that can be read in two ways"
)
NOTICE_ONLY: Final = reply(
    550, "5.7.1", "Without a sender only a disposition notification (RFC 8098) can be sent"
)
ONE_RECIPIENT_ONLY: Final = reply(
    550, "5.7.1", "What is sent without a sender has one recipient only"
)
NO_ROOM_FOR_COPY: Final = reply(
    452, "4.2.2", "Your mailbox is full; no copy of what you send can be kept in it"
)
RETURN_INVALID: Final = reply(
    550, "5.1.1", "That return address was never valid here, or is not any more"
)
REPORTS_ONLY: Final = reply(
    550, "5.7.1", "That address takes reports about mail that was passed on, from nobody else"
)
REPORTS_TOO_MANY: Final = reply(
    450, "4.7.28", "That address has taken too many reports today; please try again tomorrow"
)
PATHS_WITHOUT_SENDER: Final = reply(
    501, "5.5.4", "Return paths for each recipient begin with a sender; there is none"
)
PATHS_TOO_LONG: Final = reply(
    553, "5.1.7", "That sender is too long for return paths of 64 octets for each recipient"
)
PATH_IMPOSSIBLE: Final = reply(
    553, "5.1.3", "There can be no return path for that recipient; send to it without XVERP"
)
URL_NOT_RESOLVED: Final = reply(554, "5.6.6", "Nothing can be read under that URL")
TOO_MUCH_HELD: Final = reply(
    552,
    "5.7.16",
    "As much waits in your Outbox as may wait at once; try again when some of it has left",
)
HELD: Final = reply(250, "2.0.0", "Ok, it waits in your Outbox until its time has come")
ACCOUNT_DISABLED: Final = reply(550, "5.7.13", "Your account has been disabled")
SENDER_DISABLED: Final = reply(550, "5.7.1", "The account that sent it has been disabled")
# The code says that time is over (RFC 3463 §3.5): the operator said so before it was.
ENDED_BY_OPERATOR: Final = reply(554, "5.4.7", "The operator of this server ended the delivery")
HELD_UNREADABLE: Final = reply(554, "5.6.0", "The message in the Outbox cannot be read")
NOBODY_LEFT: Final = reply(554, "5.5.1", "None of the recipients can be reached any more")
CANCELLED: Final = reply(554, "5.0.0", "The message was taken out of the Outbox")
LOOP: Final = reply(554, "5.4.6", "The message has been here before; it goes in circles")
TOO_MANY_HOPS: Final = reply(554, "5.4.6", "The message has passed too many servers")
HEADER_TOO_LARGE: Final = reply(552, "5.3.4", "The header of the message is too large")


def not_yours(allowed: Sequence[Address]) -> Reply:
    """The account may not send as that address; some as which it may, one a line."""
    return reply(
        550, "5.7.1", "You may not send as that address, but as", *(str(each) for each in allowed)
    )


def too_much_sent(wait: timedelta) -> Reply:
    """The account has sent as much as it may for now."""
    minutes = max(1, round(wait.total_seconds() / 60))
    span = f"{minutes} minutes" if minutes < 120 else f"{round(minutes / 60)} hours"
    return reply(
        450, "4.7.1", f"You have sent as much as you may for now; please try again in {span}"
    )


def bounced_before(last: datetime, until: datetime, words: str, *, is_final: bool) -> Reply:
    """Mail of the account to that address came back for good, and would again."""
    lines = (
        f"Your mail to that address came back on {last:%Y-%m-%d}; please check it",
        f"They said: {words}",
        f"It is taken again from {until:%Y-%m-%d} on, or once this server's operator clears it",
    )
    return reply(550, "5.1.1", *lines) if is_final else reply(450, "4.1.1", *lines)


def lost_bounces(example: Address) -> Reply:
    """What comes back to a path such as the example is not for the account."""
    return reply(
        550,
        "5.7.1",
        f"What comes back to {example} would not reach you",
        "Ask for XVERP with what stands between name and detail here, or use another sender",
    )


def keeps_bouncing(words: str) -> Reply:
    """Mail of that sender to the recipient came back too often, and a probe did, too."""
    return reply(
        550,
        "5.1.1",
        "Mail of that sender to that address keeps coming back; please take it off your list",
        f"They said: {words}",
        "It is taken again once this server's operator clears it",
    )


QUEUED_BEFORE: Final = reply(250, "2.0.0", "Ok, it came before and is on its way, once")


def queued(transfer_id: str) -> Reply:
    """The message is kept for good and on its way; our log lines know the id."""
    return reply(250, "2.0.0", f"Ok, on its way as {transfer_id}")


def accepted(message: MessageId) -> Reply:
    """The message is stored for good under this id."""
    return reply(250, "2.0.0", f"Ok, kept as {message_object_id(message)}")


def accepted_before(message: MessageId) -> Reply:
    """The message was stored before, under this id; its reply was lost (store.md §2)."""
    return reply(250, "2.0.0", f"Ok, kept before as {message_object_id(message)}")
