"""The tables about the domain name system: asking it, and the keys that it publishes."""

from typing import Annotated

import msgspec

from mailbox_server.app.tables.setting_note import note as _note


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
