"""Every setting the appliance has, typed, with its default, unit, bounds and reason.

One Struct is one table of the TOML file.  The description is what config.example.toml
prints above the key; `live` in `extra_json_schema` marks a key that SIGHUP changes in the
running server.  app.configuration reads a file into these and says what is wrong with it.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


def _note(
    description: str, *, ge: int | None = None, le: int | None = None, live: bool = False
) -> Meta:
    return Meta(
        description=description,
        ge=ge,
        le=le,
        extra_json_schema={"live": True} if live else None,
    )


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


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file."""

    server: ServerSettings = ServerSettings()
    log: LogSettings = LogSettings()
    tls: TlsSettings = TlsSettings()
    listen: ListenSettings = ListenSettings()
