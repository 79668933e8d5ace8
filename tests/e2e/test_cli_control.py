"""The control socket: its owner's alone, patient with nobody, and nothing is half stored."""

import asyncio
import contextlib
import json
import socket
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.ops.control import ControlSocket
from mailbox_server.ops.control_frames import FrameKind, read_frame, write_frame
from tests.e2e.appliance import Appliance, address
from tests.unit.auth.memory_store import RecordedEvents

MEBIBYTE = 1 << 20
IMPORT = json.dumps({"request": "message.import", "address": address("ann")}).encode()
NEWER = b'{"protocol": 9, "version": "99.0.0", "new": true}'
LIST = json.dumps({"request": "account.list"}).encode()


class Peer:
    """Somebody on the control socket who writes its octets by hand."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(20)
        self.socket.connect(str(path))
        self.stream = self.socket.makefile("rb")

    def send(self, kind: bytes, octets: bytes = b"") -> None:
        self.socket.sendall(kind + struct.pack(">I", len(octets)) + octets)

    def read(self) -> tuple[bytes, bytes] | None:
        head = self.stream.read(5)
        if not head:
            return None
        return head[:1], self.stream.read(struct.unpack(">I", head[1:])[0])

    def answer(self) -> dict[str, object]:
        found = self.read()
        assert found is not None and found[0] == b"A"
        decoded: dict[str, object] = json.loads(found[1])
        return decoded

    def close(self) -> None:
        self.stream.close()
        self.socket.close()


@pytest.fixture
def peer(appliance: Appliance) -> Iterator[Peer]:
    with contextlib.closing(Peer(appliance.data / "control")) as found:
        assert found.read() == (b"H", b'{"protocol":1,"version":"0.1.0"}')
        yield found


def messages(appliance: Appliance) -> int:
    listed = json.loads(appliance.verb("account", "list", "--json").stdout)
    return sum(row["messages"] for row in listed)


def test_files_are_their_owners_alone(appliance: Appliance) -> None:
    def mode(path: Path) -> int:
        return stat.S_IMODE(path.lstat().st_mode)

    assert mode(appliance.data) == 0o700
    for path in appliance.data.rglob("*"):
        assert mode(path) & 0o077 == 0, path
    assert stat.S_ISSOCK((appliance.data / "control").lstat().st_mode)


def test_one_conversation_may_ask_again(peer: Peer) -> None:
    for _ in range(3):
        peer.send(b"Q", LIST)
        assert peer.answer()["answer"] == "rows"


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"Q" + struct.pack(">I", MEBIBYTE + 1),
        b"Q\xff\xff\xff\xff",
        b"D\0\0\0\x01x",
        b"E\0\0\0\0",
        b"H\0\0\0\0",
    ],
)
def test_what_is_no_request_is_hung_up_on(peer: Peer, octets: bytes) -> None:
    peer.socket.sendall(octets)
    with contextlib.suppress(ConnectionResetError):
        assert peer.read() is None


@pytest.mark.parametrize(
    "request_octets",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"request": "launch.rockets"}',
        b'{"request": "account.add", "address": 3}',
        b'{"request": "account.list", "extra": 1}',
    ],
)
def test_an_unknown_request_is_refused_and_ends_it(peer: Peer, request_octets: bytes) -> None:
    peer.send(b"Q", request_octets)
    assert peer.answer()["kind"] == "RequestUnknown"
    assert peer.read() is None


def test_hanging_up_in_the_middle_of_an_import_stores_nothing(
    appliance: Appliance, peer: Peer
) -> None:
    before = messages(appliance)
    peer.send(b"Q", IMPORT)
    for _ in range(3):
        peer.send(b"D", b"Subject: half\r\n\r\n" + b"x" * (MEBIBYTE - 100))
    peer.close()
    other = Peer(appliance.data / "control")
    other.read()
    other.send(b"Q", IMPORT)
    other.send(b"D", b"Subject: half of a frame\r\n\r\n")
    other.socket.sendall(b"D\0\0\x01\0abc")
    other.close()
    assert messages(appliance) == before
    assert appliance.verb("store", "check", "--deep").returncode == 0


def test_a_refused_import_is_read_to_its_end(peer: Peer) -> None:
    peer.send(b"Q", IMPORT.replace(b"ann@", b"nobody@"))
    for _ in range(5):
        peer.send(b"D", b"x" * MEBIBYTE)
    peer.send(b"E")
    assert peer.answer()["kind"] == "AccountMissing"
    peer.send(b"Q", LIST)
    assert peer.answer()["answer"] == "rows"


def test_the_ninth_waits_and_the_forty_first_is_hung_up_on(appliance: Appliance) -> None:
    path = appliance.data / "control"
    with contextlib.ExitStack() as held:
        first = [held.enter_context(contextlib.closing(Peer(path))) for _ in range(8)]
        for one in first:
            assert one.read() is not None
        waiting = [held.enter_context(contextlib.closing(Peer(path))) for _ in range(32)]
        too_many = held.enter_context(contextlib.closing(Peer(path)))
        assert too_many.read() is None
        done = appliance.verb("account", "list", check=False)
        assert done.returncode == 3
        assert b"busy with other verbs" in done.stderr
        first[0].close()
        hello = waiting[0].read()
        assert hello is not None and hello[0] == b"H"
    assert appliance.verb("account", "list").returncode == 0


@pytest.mark.parametrize(
    ("greeting", "sentence"),
    [
        (b"", b"busy"),
        (b"220 mail.example.test ESMTP\r\n", b"no mailbox-server"),
        (b"A\0\0\0\0", b"no mailbox-server"),
        (b"H\0\0\0\x02[]", b"no mailbox-server"),
        (b"H" + struct.pack(">I", len(NEWER)) + NEWER, b"version 99.0.0"),
    ],
)
def test_a_stranger_on_the_socket(tmp_path: Path, greeting: bytes, sentence: bytes) -> None:
    appliance = Appliance(tmp_path)
    appliance.data.mkdir(0o700)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stranger:
        stranger.bind(str(appliance.data / "control"))
        stranger.listen()
        with appliance.begin("account", "list") as verb:
            taken, _ = stranger.accept()
            taken.sendall(greeting)
            taken.close()
            _, said = verb.communicate(timeout=60)
    assert verb.returncode == 3
    assert sentence in said
    assert said.count(b"\n") == 1


def test_a_large_answer_comes_in_pieces(appliance: Appliance, tmp_path: Path) -> None:
    box = tmp_path / "box"
    box.write_bytes(
        b"".join(
            b"From a@b Mon Jan  1 10:00:00 2001\nSubject: %s %d\n\nx\n\n" % (b"long " * 40, number)
            for number in range(3000)
        )
    )
    appliance.verb("message", "import", address("bob"), str(box))
    words = ("message", "list", address("bob"), "--limit", "10000", "--json")
    listed = appliance.verb(*words).stdout
    assert len(listed) > MEBIBYTE
    assert len(json.loads(listed)) >= 3000


def test_a_large_file_streams_in_bounded_memory(appliance: Appliance, tmp_path: Path) -> None:
    def peak() -> int:
        status = Path(f"/proc/{appliance.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0])

    large = tmp_path / "large"
    with large.open("wb") as out:
        out.write(b"Subject: large\r\n\r\n")
        for _ in range(1000):
            out.write((b"x" * 998 + b"\r\n") * 100)
    before = peak()
    stored = json.loads(
        appliance.verb("message", "import", address("ann"), str(large), "--json").stdout
    )
    assert peak() - before < 40 * 1024, "KiB"
    assert appliance.verb("message", "raw", stored[0]["id"]).stdout == large.read_bytes()


class Broken:
    """An administration with a bug in it."""

    async def perform(self, *_: object) -> NoReturn:
        raise KeyError("text that is only for our log")


async def test_a_bug_of_ours_is_logged_and_told_as_such(tmp_path: Path) -> None:
    events = RecordedEvents()
    tasks = TaskKeeper(lambda name, error: events.fault("task.failed", error))
    broken: Any = Broken()
    control = ControlSocket(tmp_path, broken, "0", events, tasks)
    await control.start()
    reader, writer = await asyncio.open_unix_connection(tmp_path / "control")
    await read_frame(reader)
    for _ in range(2):
        await write_frame(writer, FrameKind.ASK, LIST)
        frame = await read_frame(reader)
        assert frame is not None
        answer = json.loads(frame[1])
        assert (answer["kind"], answer["temporary"]) == ("ServerFault", True)
        assert "only for our log" not in answer["sentence"]
    assert [type(error) for error in events.faults] == [KeyError, KeyError]
    await control.stop()
    assert await read_frame(reader) is None
    writer.close()
    assert await tasks.drain(20) == ()
    assert not (tmp_path / "control").exists()


@pytest.mark.parametrize(("octets", "warnings"), [(b"", 0), (b"?", 1)])
async def test_who_asks_nothing_and_leaves_has_broken_nothing(
    tmp_path: Path, octets: bytes, warnings: int
) -> None:
    events = RecordedEvents()
    tasks = TaskKeeper(lambda name, error: events.fault("task.failed", error))
    nobody: Any = Broken()
    control = ControlSocket(tmp_path, nobody, "0", events, tasks)
    await control.start()
    reader, writer = await asyncio.open_unix_connection(tmp_path / "control")
    if octets:
        await read_frame(reader)
        writer.write(octets)
        writer.close()
    else:
        # Left with the HELLO unread, the connection is reset rather than ended.
        writer.transport.abort()
    assert await tasks.drain(20) == ()
    assert [name for name, _ in events.seen] == ["control.broken"] * warnings
    await control.stop()


def test_a_long_path_and_a_socket_that_was_left(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 30)
    home.mkdir()
    appliance = Appliance(home)
    assert len(str(appliance.data / "control")) > 108
    appliance.open_accounts(["ann"])
    appliance.start()
    appliance.kill()
    assert (appliance.data / "control").exists()
    assert b"ann@" in appliance.verb("account", "list").stdout
    appliance.start()
    assert b"ann@" in appliance.verb("account", "list").stdout
    assert appliance.stop() == 0
    assert not (appliance.data / "control").exists()


def test_stopping_answers_what_was_asked(tmp_path: Path) -> None:
    appliance = Appliance(tmp_path)
    appliance.open_accounts(["ann"])
    appliance.start()
    with (
        contextlib.closing(Peer(appliance.data / "control")) as idle,
        contextlib.closing(Peer(appliance.data / "control")) as busy,
    ):
        idle.read()
        busy.read()
        busy.send(b"Q", IMPORT)
        busy.send(b"D", b"Subject: just in time\r\n\r\n")
        appliance.terminate()
        with contextlib.suppress(ConnectionResetError):
            assert idle.read() is None
        busy.send(b"D", b"here\r\n")
        busy.send(b"E")
        assert busy.answer()["answer"] == "rows"
        assert busy.read() is None
    assert appliance.wait() == 0
    listed = appliance.verb("message", "list", address("ann")).stdout
    assert b"just in time" in listed
