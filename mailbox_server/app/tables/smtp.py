"""The tables of mail that comes by SMTP: from other servers, and from those with an account."""

from typing import Annotated

import msgspec

from mailbox_server.app.tables.setting_note import note as _note


class SmtpSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Receiving mail by SMTP and LMTP."""

    message_octets: Annotated[
        int,
        _note("The largest message taken, in octets (SIZE).", ge=65536, le=2147483647, live=True),
    ] = 52_428_800
    recipients: Annotated[
        int,
        _note("Recipients of one message; RFC 5321 asks for 100.", ge=100, le=100000, live=True),
    ] = 1000
    hops: Annotated[
        int, _note("Received fields from which on a message is looping.", ge=30, le=1000, live=True)
    ] = 100
    command_seconds: Annotated[
        int,
        _note(
            "How long a peer may take for its next command, in seconds.", ge=5, le=3600, live=True
        ),
    ] = 300


class SubmissionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Sending mail, for those who have an account here; sizes and waits are those of [smtp]."""

    sent_copies: Annotated[
        list[str],
        _note(
            'Accounts for which what they send is filed in Sent, by address, or "everyone"; for '
            "programs that file no copy themselves.",
            live=True,
        ),
    ] = msgspec.field(default_factory=list)
    messages_per_hour: Annotated[
        int, _note("How many messages an account may send an hour.", ge=1, live=True)
    ] = 200
    messages_per_day: Annotated[int, _note("The same a day.", ge=1, live=True)] = 1000
    strangers_per_hour: Annotated[
        int,
        _note(
            "To how many addresses that it never wrote to an account may write an hour: a "
            "stolen password must not become a spam run. Known ones do not count.",
            ge=1,
            live=True,
        ),
    ] = 100
    strangers_per_day: Annotated[int, _note("The same a day.", ge=1, live=True)] = 300
    limits: Annotated[
        list[str],
        _note(
            'Other limits for single accounts, each "account ADDRESS: messages HOUR/DAY, '
            'strangers HOUR/DAY"; one of the two will do.',
            live=True,
        ),
    ] = msgspec.field(default_factory=list)
    show_client_address: Annotated[
        bool,
        _note("Tell in the Received field from which address a message was sent.", live=True),
    ] = False
