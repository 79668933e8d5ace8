"""The [relay] table: sending mail to other servers."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from mailbox_server.app.tables.setting_note import note as _note


class RelayRoute(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One [[relay.routes]]: which mail goes another way, and how."""

    recipients: list[str] = msgspec.field(default_factory=list)
    senders: list[str] = msgspec.field(default_factory=list)
    after_failures: Annotated[int, Meta(ge=0, le=1000)] = 0
    host: str = ""
    port: Annotated[int, Meta(ge=1, le=65535)] = 587
    tls: Literal["verified", "encrypted", "opportunistic", "none"] = "verified"
    user: str = ""
    password_file: str = ""
    sources: list[str] = msgspec.field(default_factory=list)


class RelaySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Sending mail to other servers."""

    connections: Annotated[
        int, _note("Connections to all other servers at once.", ge=2, le=10000, live=True)
    ] = 100
    connections_per_destination: Annotated[
        int,
        _note(
            "At once to one domain or smart host. It begins with one, may have 5 after the first "
            "message it takes, and one more with each that follows; trouble halves them.",
            ge=1,
            le=1000,
            live=True,
        ),
    ] = 20
    give_up_hours: Annotated[
        int,
        _note(
            "How long a message is tried before its sender is told that it failed. RFC 5321 asks "
            "for four to five days: other servers are down over weekends.",
            ge=1,
            le=1000,
            live=True,
        ),
    ] = 120
    delay_notice_hours: Annotated[
        int,
        _note(
            "After so many hours the sender is told, once, that a message waits.",
            ge=1,
            le=1000,
            live=True,
        ),
    ] = 4
    port: Annotated[
        int,
        _note(
            "The port of mail exchangers; another than 25 is for trials.",
            ge=1,
            le=65535,
            live=True,
        ),
    ] = 25
    tls_reports: Annotated[
        bool,
        _note(
            "Tell domains that ask for it once a day how TLS with their mail servers went "
            "(RFC 8460).",
            live=True,
        ),
    ] = True
    private_networks: Annotated[
        list[str],
        _note(
            'Networks such as "10.1.0.0/16" that are not public and to which mail may go all the '
            "same, where the DNS of a domain names them. A smart host needs no leave.",
            live=True,
        ),
    ] = msgspec.field(default_factory=list)
    routes: Annotated[
        list[RelayRoute],
        _note(
            "Which mail goes another way than to the mail exchangers of its domain: tables "
            "[[relay.routes]], read from the top, of which the first that fits decides. It fits "
            'by recipients = ["example.org", "*.example.org"], by senders (addresses or domains '
            "of accounts) and when so many attempts have failed (after_failures = 3); what is "
            'left out fits all. host = "smtp.example.net" with port (587; at 465 TLS begins at '
            'once), tls ("verified", "encrypted", "opportunistic", "none"), user and '
            "password_file (a file that nobody else can read) is where it goes; without host it "
            "goes to the domain's own exchangers. sources are addresses of ours to connect from, "
            "at most one IPv4 and one IPv6.",
            live=True,
        ),
    ] = msgspec.field(default_factory=list)
