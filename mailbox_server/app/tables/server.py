"""The tables of the server as a whole: who it is, what it tells, its certificate, its services."""

from typing import Annotated, Literal

import msgspec

from mailbox_server.app.tables.setting_note import note as _note


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
