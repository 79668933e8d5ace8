"""A disk that fills up and is emptied again, five times, under one and the same server."""

import asyncio
import hashlib
import random
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.bench.smtp_generator import message
from tests.e2e.appliance import address
from tests.e2e.kept import SETTINGS
from tests.e2e.mail import content_of, fetch_all, imap, pop3
from tests.faults import template
from tests.faults.forked import ForkedAppliance
from tests.faults.lives import Refused, Talk
from tests.faults.loop_disk import EXT4_TO_FILL, LoopDisk
from tests.faults.world import unsound

ROUNDS: Final = 3
ROUNDS_FULL: Final = 5
MEBIBYTES: Final = 264
ROOM: Final = "[store]\nlow_mebibytes = 64\nreserve_mebibytes = 64\nlog_mebibytes = 8\n"
SIZES: Final = (3_000_000, 400_000)
"""Octets of a message: a content file, and rows."""

KEPT_A_ROUND: Final = 3
MOST_TRIES: Final = 300
RECOVERY_SECONDS: Final = 30.0
FOREIGN: Final = "not-ours"


class Sender:
    """Sends to ann, and remembers what was acknowledged."""

    def __init__(self, appliance: ForkedAppliance) -> None:
        self._port = appliance.ports["smtp"]
        self._bodies = [message("body", octets, random.Random(octets)) for octets in SIZES]
        self._number = 0
        self.acknowledged: set[bytes] = set()

    def send(self) -> bytes | None:
        """Send one message; None when it was accepted, else the refusal."""
        self._number += 1
        octets = b"X-Number: %d\r\n" % self._number + self._bodies[self._number % len(SIZES)]
        with Talk(self._port) as talk:
            try:
                talk.reply(b"220")
                talk.say(b"EHLO full\r\n")
                talk.reply(b"250")
                talk.say(f"MAIL FROM:<>\r\nRCPT TO:<{address('ann')}>\r\nDATA\r\n".encode())
                talk.reply(b"250", 2)
                talk.reply(b"354")
                talk.say(octets + b".\r\n")
                talk.reply(b"250")
            except Refused as refused:
                return refused.answer
        self.acknowledged.add(hashlib.sha256(octets).digest())
        return None


def _is_folded(appliance: ForkedAppliance) -> bool:
    """Whether every frame of the log is in the database, as SQLite's shared memory says.

    The last frame stands at octet 16, the last one folded at 96 (sqlite.org/walformat.html).
    """
    octets = (appliance.data / "mail.sqlite3-shm").read_bytes()
    (last,), (folded,) = struct.unpack_from("I", octets, 16), struct.unpack_from("I", octets, 96)
    return bool(last == folded)


def _wait(until: Callable[[], bool]) -> bool:
    """Whether it comes true within the time that recovery may take."""
    end = time.monotonic() + RECOVERY_SECONDS
    while time.monotonic() < end:
        if until():
            return True
        time.sleep(0.05)
    return False


def _held(appliance: ForkedAppliance) -> set[bytes]:
    return {hashlib.sha256(content_of(each)).digest() for each in fetch_all(appliance)}


def _refuses_append(appliance: ForkedAppliance) -> bool:
    client = imap(appliance)
    status, _ = client.append("INBOX", "", "", message("append", 4_000, random.Random(8)))
    client.logout()
    return status == "NO"


def _expunge_all_but(appliance: ForkedAppliance, count: int) -> set[bytes]:
    """EXPUNGE the oldest messages; the digests of those that stay."""
    client = imap(appliance)
    _, (exists,) = client.select("INBOX")
    assert exists is not None
    assert client.store(f"1:{int(exists) - count}", "+FLAGS.SILENT", "(\\Deleted)")[0] == "OK"
    assert client.expunge()[0] == "OK"
    client.logout()
    return _held(appliance)


@contextmanager
def _on_a_small_disk(place: Path) -> Iterator[tuple[ForkedAppliance, LoopDisk]]:
    """A running appliance whose data folder is a small disk of its own."""
    appliance = ForkedAppliance(place, SETTINGS + ROOM)
    disk = LoopDisk(place / "disk", appliance.data, EXT4_TO_FILL, MEBIBYTES)
    with closing(disk), closing(appliance):
        disk.mount()
        appliance.open_accounts()
        appliance.start()
        yield appliance, disk


@pytest.mark.timeout(600)
def test_a_full_disk_is_emptied_and_takes_mail_again(
    tmp_path: Path, full: bool, record_property: Callable[[str, object], None]
) -> None:
    rounds = ROUNDS_FULL if full else ROUNDS
    with _on_a_small_disk(tmp_path) as (appliance, disk):
        pid, sender = appliance.pid, Sender(appliance)
        held = [_fill_and_empty(appliance, disk, sender) for _ in range(rounds)]
        assert appliance.pid == pid
        client = pop3(appliance)
        assert client.stat()[0] == len(sender.acknowledged)
        client.quit()
        assert appliance.stop() == 0
        assert asyncio.run(template.inside(appliance.data, unsound)) == []
    record_property("rounds", rounds)
    record_property("messages kept on the full disk, all rounds", sum(held))


@pytest.mark.parametrize("ended", ["killed", "stopped"])
def test_a_server_starts_on_a_full_disk(tmp_path: Path, ended: str) -> None:
    """Everything can be read and deleted; taking mail begins again when there is room."""
    with _on_a_small_disk(tmp_path) as (appliance, disk):
        sender = Sender(appliance)
        while len(sender.acknowledged) < 2 * KEPT_A_ROUND:
            assert sender.send() is None
        if ended == "killed":
            appliance.kill()
        else:
            assert appliance.stop() == 0
        disk.fill(FOREIGN)
        appliance.start()
        assert _held(appliance) == sender.acknowledged
        refused = sender.send()
        assert refused is not None and refused.startswith(b"452 4.3.1"), refused
        sender.acknowledged = _expunge_all_but(appliance, KEPT_A_ROUND)
        assert len(sender.acknowledged) == KEPT_A_ROUND
        (disk.target / FOREIGN).unlink()
        assert _wait(lambda: sender.send() is None)
        assert _held(appliance) == sender.acknowledged
        assert appliance.stop() == 0
        assert asyncio.run(template.inside(appliance.data, unsound)) == []


def _fill_and_empty(appliance: ForkedAppliance, disk: LoopDisk, sender: Sender) -> int:
    """One round, and how many messages the full disk held.

    Afterwards the server takes mail again, without a restart.
    """
    refused = None
    for _ in range(MOST_TRIES):
        if (refused := sender.send()) is not None:
            break
    assert refused is not None and refused.startswith(b"452 4.3.1"), refused
    # Early: the store can still work, and what is kept back for deleting was not touched.
    assert disk.free_octets > 0
    assert (appliance.data / "reserve").exists()
    assert _refuses_append(appliance)

    # Whoever takes what is left takes it from deleting, too, while the log is not folded.
    assert _wait(lambda: _is_folded(appliance))
    disk.fill(FOREIGN)
    assert sender.send() == refused
    held = _held(appliance)
    assert held == sender.acknowledged
    kept = _expunge_all_but(appliance, KEPT_A_ROUND)
    assert kept < sender.acknowledged and len(kept) == KEPT_A_ROUND
    sender.acknowledged = kept

    assert _wait(lambda: sender.send() is None), "EXPUNGE has freed nothing"
    (disk.target / FOREIGN).unlink()
    assert _held(appliance) == sender.acknowledged
    return len(held)
