"""What an operator may set about the store, with the defaults."""

from dataclasses import dataclass
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
MAPPED_MOST: Final = 2 * 1024 * MIB


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Sizes are octets, times are seconds.

    page_octets: of a new database; an existing one keeps its own.  Measured with the
        whole delivery write of a 4 KiB message (11 rows in 9 tables, 2 cores): 4 KiB pages
        4,730 a second by hundreds, 8 KiB 4,290, 16 KiB 4,300; one by one no difference.
    log_octets: how large the write-ahead log may grow before it is folded in although
        writes are waiting; an idle writer folds it in from a quarter of that.
    row_content_octets: contents up to this size are rows, larger ones files.
    staging_octets: memory of all contents being received; staged_content_octets: of one,
        before it goes to a file.
    low_room_octets: with less room than this no new mail is accepted.
    reserve_octets: kept allocated for deleting when the disk is full.
    readers: database threads for reads.
    writer_cache_octets, reader_cache_octets: page cache of each connection.  They are not
        sized from the machine: what they miss lies in the kernel's cache, which takes all
        memory that is free, and 32 MiB hold the inner pages of trees of some GiB.  Measured
        with deliveries spread over 400 accounts and 87 MiB (2 cores, busy, the better of two
        runs): 2 MiB 790 µs each, 16 MiB 700, 32 MiB 680, 128 MiB 700, 256 MiB 770.
    mapped_octets: of the database mapped into memory by each reader, 0 for none; SQLite
        takes no more than MAPPED_MOST.  Measured over 20,000 messages of 11 KiB whose pages the
        kernel had (2 cores): lists took two thirds of the time, all contents half.  The
        price: a disk that fails to read a mapped page kills the process.
    most_waiting: writes, and reads, that may wait before TooBusy.
    most_members: writes in one commit.
    busy_wait: how long to wait for another program's lock on the database.
    orphan_age: how old a content file without a row must be before it is swept.
    """

    page_octets: int = 4 * KIB
    log_octets: int = 64 * MIB
    row_content_octets: int = 512 * KIB
    staging_octets: int = 64 * MIB
    staged_content_octets: int = 256 * KIB
    low_room_octets: int = 256 * MIB
    reserve_octets: int = 64 * MIB
    readers: int = 2
    writer_cache_octets: int = 32 * MIB
    reader_cache_octets: int = 16 * MIB
    mapped_octets: int = 0
    most_waiting: int = 20_000
    most_members: int = 256
    busy_wait: float = 5.0
    orphan_age: int = 36 * 3600
