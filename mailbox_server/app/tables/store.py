"""The tables of the mail that is kept: [store] and [search]."""

from typing import Annotated, Literal

import msgspec

from mailbox_server.app.tables.setting_note import note as _note


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
