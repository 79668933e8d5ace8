"""The tables about who has an account here: what addresses mean, and who may log in."""

from typing import Annotated

import msgspec

from mailbox_server.app.tables.setting_note import note as _note


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
