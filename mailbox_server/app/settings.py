"""Every setting the appliance has, typed, with its default, unit, bounds and reason.

One Struct is one table of the TOML file; [relay] stands in relay_settings.  The description
is what config.example.toml prints above the key; `live` in `extra_json_schema` marks a key
that SIGHUP changes in the running server.  app.configuration reads a file into these and says
what is wrong with it.
"""

from typing import Annotated, Literal

import msgspec

from mailbox_server.app.bounces_settings import BouncesSettings
from mailbox_server.app.relay_settings import RelaySettings
from mailbox_server.app.setting_note import note as _note


class ServerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who this server is and where it keeps its mail."""

    hostname: Annotated[
        str,
        _note(
            "The name this server gives itself in greetings and Received fields; it should "
            'resolve to this machine. "" takes the machine\'s own full name.'
        ),
    ] = ""
    data: Annotated[
        str,
        _note("The folder that holds all mail and state. Only one server may use it at a time."),
    ] = "/var/lib/mailbox-server"
    uvloop: Annotated[bool, _note("Use the faster event loop where it is installed.")] = True


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is told about what happens."""

    format: Annotated[
        Literal["auto", "human", "json", "journald"],
        _note(
            '"human" for a terminal, "json" one object a line, "journald" lines with a priority '
            'prefix; "auto" takes human on a terminal, journald under systemd, else json.'
        ),
    ] = "auto"
    level: Annotated[
        Literal["info", "warning", "error"],
        _note("The least important events that are still written.", live=True),
    ] = "info"


class TlsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The certificate that all protocols share; reloaded on SIGHUP."""

    certificate: Annotated[
        str,
        _note(
            "PEM file with the certificate chain, leaf first. With key; without both there "
            "is no TLS and logins are refused except where login.plaintext_on_loopback allows.",
            live=True,
        ),
    ] = ""
    key: Annotated[
        str, _note("PEM file with the private key of the certificate, not encrypted.", live=True)
    ] = ""
    client_certificates: Annotated[
        Literal["none", "registered", "issued"],
        _note(
            "Which certificates of programs log in by IMAP, POP3 and submission (EXTERNAL): those "
            'that "account certificate add" registers, or those that client_authority issued. '
            "Whoever shows another one cannot connect."
        ),
    ] = "none"
    client_authority: Annotated[
        str,
        _note(
            'PEM file with the authorities for "issued". Their certificates log in to the account '
            "whose address they have as rfc822Name, and to those they are registered with."
        ),
    ] = ""


class ListenSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Addresses to listen on, `HOST:PORT`, `[IPV6]:PORT`, `*:PORT` for all of both families,
    or `unix:/PATH`; an empty list switches the service off."""

    smtp: Annotated[list[str], _note("Mail from other servers, with STARTTLS.")] = msgspec.field(
        default_factory=lambda: ["*:25"]
    )
    smtp_tls: Annotated[list[str], _note("The same with TLS from the first octet.")] = (
        msgspec.field(default_factory=list)
    )
    lmtp: Annotated[
        list[str],
        _note("LMTP, so that another mail server on this machine can deliver to us; no login."),
    ] = msgspec.field(default_factory=list)
    lmtp_mode: Annotated[
        str,
        _note("Who may connect to a `unix:` socket of LMTP, as for chmod: owner, group, others."),
    ] = "0660"
    lmtp_group: Annotated[
        str,
        _note(
            "The group that such a socket is given to; the server's user must be in it, or be "
            'root. "" is the server\'s own group. Postfix needs its own: "postfix".'
        ),
    ] = ""
    submission: Annotated[
        list[str],
        _note("Mail that people with an account send, with STARTTLS; who sends logs in first."),
    ] = msgspec.field(default_factory=lambda: ["*:587"])
    submissions: Annotated[list[str], _note("The same with TLS from the first octet.")] = (
        msgspec.field(default_factory=lambda: ["*:465"])
    )
    pop3: Annotated[list[str], _note("POP3 with STLS.")] = msgspec.field(
        default_factory=lambda: ["*:110"]
    )
    pop3s: Annotated[list[str], _note("POP3 with TLS from the first octet.")] = msgspec.field(
        default_factory=lambda: ["*:995"]
    )
    imap: Annotated[list[str], _note("IMAP with STARTTLS.")] = msgspec.field(
        default_factory=lambda: ["*:143"]
    )
    imaps: Annotated[list[str], _note("IMAP with TLS from the first octet.")] = msgspec.field(
        default_factory=lambda: ["*:993"]
    )


class NetSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Connections of all services together. Loopback has no limit of its own."""

    connections: Annotated[
        int,
        _note(
            "Connections at once, or as many as the limit of open files leaves room for; when "
            "full, strangers who have said nothing go first.",
            ge=10,
            live=True,
        ),
    ] = 2000
    connections_per_address: Annotated[
        int, _note("At once from one IPv4 address or IPv6 /64.", ge=1, live=True)
    ] = 50
    connections_per_network: Annotated[
        int, _note("At once from one IPv4 /24 or IPv6 /48.", ge=1, live=True)
    ] = 200


class AddressSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What addresses mean."""

    postmaster: Annotated[
        str,
        _note(
            'The account that gets mail to postmaster and abuse. "" takes the oldest account '
            "of the domain.",
            live=True,
        ),
    ] = ""
    detail_separators: Annotated[
        str,
        _note(
            "Characters, each of which may stand between an account's name and a detail, as in "
            'ann+shop@example.org; "" for none.',
            live=True,
        ),
    ] = "+"


class LoginSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who may log in, and how passwords are kept."""

    plaintext_on_loopback: Annotated[
        bool, _note("Let programs on this machine log in without TLS.", live=True)
    ] = False
    hash_memory_kib: Annotated[
        int,
        _note(
            "Memory of one argon2id password hash in KiB; new passwords use it.", ge=8, le=4194304
        ),
    ] = 19456
    hash_passes: Annotated[int, _note("Passes of argon2id over that memory.", ge=1, le=100)] = 2
    remembered_seconds: Annotated[
        int,
        _note(
            "How long a password that was right needs no second hash, in seconds; programs log "
            "in often.",
            ge=0,
            le=86400,
            live=True,
        ),
    ] = 600


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


class DnsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Asking the domain name system."""

    servers: Annotated[
        list[str],
        _note(
            "Name servers as ADDRESS or ADDRESS:PORT ([IPV6]:PORT); none takes the system's.",
            live=True,
        ),
    ] = msgspec.field(default_factory=list)
    trusted: Annotated[
        bool,
        _note(
            "The servers named above check DNSSEC, and nobody can forge their answers on the way "
            "here: an unbound on this machine, mostly. Without it there is no DANE.",
            live=True,
        ),
    ] = False
    seconds: Annotated[
        int, _note("How long one question may take in all, in seconds.", ge=1, le=60, live=True)
    ] = 8
    verify_peer_name: Annotated[
        bool,
        _note("Look up the verified name of a sending host for the Received field.", live=True),
    ] = True


class DkimSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys that mail of hosted domains is signed with; `domain dns` prints their records."""

    rotate_days: Annotated[
        int,
        _note(
            "The age at which a key gets a successor, in days; 0 for never by itself. The old key "
            "signs on until the record of the new one stands in the DNS.",
            ge=0,
            le=3650,
            live=True,
        ),
    ] = 180
    publish_days: Annotated[
        int,
        _note(
            "For how long the record of a new key must have been seen before it signs, in days.",
            ge=0,
            le=90,
            live=True,
        ),
    ] = 2
    keep_days: Annotated[
        int,
        _note(
            "For how long the record of an old key stays useful, in days; the key is forgotten "
            "then.",
            ge=7,
            le=365,
        ),
    ] = 30


class StoreTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The mailbox store in server.data."""

    row_content_octets: Annotated[
        int,
        _note(
            "Messages up to this size, in octets, lie in the database, larger ones in files; the "
            "default was measured.",
            ge=65536,
            le=16777216,
        ),
    ] = 524_288
    log_mebibytes: Annotated[
        int, _note("How large the write-ahead log may grow, in MiB.", ge=8, le=4096)
    ] = 64
    low_mebibytes: Annotated[
        int, _note("With less room on the disk than this, in MiB, no mail is taken.", ge=16)
    ] = 256
    reserve_mebibytes: Annotated[
        int, _note("Kept allocated, in MiB, so that a full disk can be emptied.", ge=64)
    ] = 64
    readers: Annotated[int, _note("Threads that read the database.", ge=1, le=16)] = 2
    map_database: Annotated[
        bool,
        _note(
            "Read the database, up to 2 GiB of it, as mapped memory: messages and lists take about "
            "half the time. On a disk with unreadable sectors it should be off: such a sector then "
            "fails one command, and with it on it ends the whole process."
        ),
    ] = True
    compress_after_days: Annotated[
        int,
        _note(
            "How long messages lie as they came before they are compressed, in days; 0 never "
            "compresses. What is compressed is read as before, a little slower.",
            ge=0,
            le=36500,
            live=True,
        ),
    ] = 30
    tombstone_days: Annotated[
        int,
        _note(
            "How long it is remembered what was expunged, for clients that come back.",
            ge=1,
            live=True,
        ),
    ] = 90
    passport_days: Annotated[
        int,
        _note(
            "How long it is remembered what became of mail that has left or was deleted, for "
            '"message trace", in days. Of mail that is still here it is remembered as long.',
            ge=1,
            le=36500,
            live=True,
        ),
    ] = 90


class SearchSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What searches look into."""

    documents: Annotated[
        list[Literal["pdf", "office", "calendar"]],
        _note(
            "Attached documents in which searches find text; [] for none. They are read after "
            "delivery, by a process that can open nothing and is ended when it is not needed: "
            'PDF; "office" is .docx, .xlsx, .pptx, .odt, .ods and .odp; "calendar" is calendars '
            "and cards of addresses. After a change they are read again."
        ),
    ] = msgspec.field(default_factory=lambda: ["pdf", "office", "calendar"])


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file."""

    server: ServerSettings = ServerSettings()
    log: LogSettings = LogSettings()
    tls: TlsSettings = TlsSettings()
    listen: ListenSettings = ListenSettings()
    net: NetSettings = NetSettings()
    addresses: AddressSettings = AddressSettings()
    login: LoginSettings = LoginSettings()
    smtp: SmtpSettings = SmtpSettings()
    submission: SubmissionSettings = SubmissionSettings()
    pop3: Pop3Table = Pop3Table()
    imap: ImapSettings = ImapSettings()
    relay: RelaySettings = RelaySettings()
    bounces: BouncesSettings = BouncesSettings()
    dns: DnsSettings = DnsSettings()
    dkim: DkimSettings = DkimSettings()
    store: StoreTable = StoreTable()
    search: SearchSettings = SearchSettings()
