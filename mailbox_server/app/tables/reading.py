"""The tables of those who read their mail: [pop3] and [imap]."""

from typing import Annotated, Literal

import msgspec

from mailbox_server.app.tables.setting_note import note as _note


class Pop3Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Reading by POP3."""

    second_session: Annotated[
        Literal["snapshot", "refuse"],
        _note(
            "What a second session of one account gets: a view of its own, or [IN-USE].", live=True
        ),
    ] = "snapshot"
    deleted: Annotated[
        Literal["expunge", "trash"],
        _note(
            'What becomes at QUIT of messages that a client deleted; "trash" keeps them there.',
            live=True,
        ),
    ] = "expunge"
    shown: Annotated[
        list[str],
        _note(
            'What is shown instead of the whole INBOX, each "everyone: WHAT" or "account ADDRESS: '
            'WHAT", where WHAT is newest DAYS days, mailbox NAME, or newest DAYS days of mailbox '
            "NAME. The days count from when a message was received. An account's line replaces "
            "everyone's.",
            live=True,
        ),
    ] = msgspec.field(default_factory=list)
    mark_seen: Annotated[
        bool, _note("Show retrieved messages as read in IMAP, too.", live=True)
    ] = False
    idle_seconds: Annotated[
        int, _note("Autologout, in seconds; RFC 1939 asks for 600.", ge=600, le=86400, live=True)
    ] = 600
    hide: Annotated[
        list[str],
        _note(
            'Capabilities not to be shown, each "everyone: CAPABILITY ..." or "account ADDRESS: '
            'CAPABILITY ..."; a login mechanism is AUTH=NAME. What is hidden still answers.',
            live=True,
        ),
    ] = msgspec.field(default_factory=list)
    show: Annotated[
        list[str],
        _note(
            "Capabilities to be shown although they are hidden without this, written as above; "
            "so far AUTH=SCRAM-SHA-256-PLUS.",
            live=True,
        ),
    ] = msgspec.field(default_factory=list)


class ImapSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Reading by IMAP."""

    message_octets: Annotated[
        int,
        _note(
            "The largest message that APPEND takes, in octets.", ge=65536, le=2147483647, live=True
        ),
    ] = 67_108_864
    copied_messages: Annotated[
        int,
        _note(
            "How many messages one COPY takes. It is a single write, during which other writes "
            "wait; MOVE and all else go in steps.",
            ge=1000,
            live=True,
        ),
    ] = 100_000
    idle_seconds: Annotated[
        int, _note("Autologout, in seconds; RFC 9051 asks for 1,800.", ge=1800, le=86400, live=True)
    ] = 1860
    view_mebibytes: Annotated[
        int,
        _note(
            "Memory of all mailboxes that are selected, or kept for who selects them again, in "
            "MiB; about 2 MiB for 100,000 messages, shared by all who selected the mailbox. "
            "Beyond it those kept go, and those that nobody is looking at are read again when "
            "somebody does.",
            ge=1,
            live=True,
        ),
    ] = 128
    submission_servers: Annotated[
        list[str],
        _note(
            "Accounts as which other submission servers log in: they may read messages whose URLs "
            "(URLAUTH) were authorized for who submits mail.",
            live=True,
        ),
    ] = msgspec.field(default_factory=list)
    hide: Annotated[
        list[str],
        _note(
            "Capabilities that a program breaks on, neither shown to it nor enabled by it, each "
            '"WHOM: CAPABILITY ...", where WHOM is everyone, account ADDRESS, client NAME or '
            "client NAME version VERSION, the latter two being how the program's own words "
            "begin. `mailbox-server config switches` shows those that are known already. "
            "NEW-MAIL-AT-ANY-TIME hidden, new mail is told in IDLE, NOOP and CHECK only.",
            live=True,
        ),
    ] = msgspec.field(default_factory=list)
    show: Annotated[
        list[str],
        _note(
            "Capabilities to be shown although they are hidden without this, written as above. "
            "The word of a client goes before that of an account and of everyone, and hide "
            "before show.",
            live=True,
        ),
    ] = msgspec.field(default_factory=list)
