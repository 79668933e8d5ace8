"""Tasks never fail in silence, signals become events, and the service manager is told."""

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from mailbox_server.net import loop
from mailbox_server.net.loop import Signals
from mailbox_server.net.service_notify import ServiceNotify
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.net.write_deadline import WriteDeadline


class Failures:
    """What a keeper reported."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.keeper = TaskKeeper(lambda name, error: self.seen.append((name, str(error))))


async def test_results_come_back_and_tasks_are_named() -> None:
    failures = Failures()

    async def work() -> int:
        return 7

    task = failures.keeper.spawn("seven", work())
    assert task.get_name() == "seven"
    assert len(failures.keeper) == 1
    assert await task == 7
    assert await failures.keeper.drain(1) == ()
    assert (len(failures.keeper), failures.seen) == (0, [])


async def test_failures_are_reported_and_cancellations_are_not() -> None:
    failures = Failures()

    async def fail() -> None:
        raise ValueError("no good")

    failures.keeper.spawn("bad", fail())
    failures.keeper.spawn("cancelled", asyncio.sleep(60)).cancel()
    assert await failures.keeper.drain(1) == ()
    assert failures.seen == [("bad", "no good")]


async def test_drain_waits_then_cancels() -> None:
    failures = Failures()
    quick = asyncio.Event()

    async def last_words() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            quick.set()

    failures.keeper.spawn("slow", last_words())
    assert await failures.keeper.drain(0.01) == ("slow",)
    assert quick.is_set()
    assert len(failures.keeper) == 0


async def test_drain_waits_for_tasks_spawned_meanwhile_and_not_for_itself() -> None:
    failures = Failures()
    done: list[str] = []

    async def second() -> None:
        await asyncio.sleep(0)
        done.append("second")

    async def first() -> None:
        failures.keeper.spawn("second", second())
        done.append("first")

    async def drain() -> tuple[str, ...]:
        return await failures.keeper.drain(5)

    failures.keeper.spawn("first", first())
    assert await failures.keeper.spawn("drain", drain()) == ()
    assert done == ["first", "second"]


@pytest.mark.parametrize("with_uvloop", [True, False])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_become_events(with_uvloop: bool, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    seen: list[str] = []

    async def main(signals: Signals) -> str:
        kind = type(asyncio.get_running_loop()).__module__
        assert kind.startswith("uvloop") == with_uvloop
        os.kill(os.getpid(), signal.SIGHUP)  # before anybody listens: nothing
        reloaded = asyncio.Event()
        await asyncio.sleep(0.01)
        signals.on_reload(reloaded.set)
        os.kill(os.getpid(), signal.SIGHUP)
        await reloaded.wait()
        seen.append("reload")
        assert not signals.stop.is_set()
        os.kill(os.getpid(), number)
        await signals.stop.wait()
        return "stopped"

    assert loop.run(main, with_uvloop=with_uvloop) == "stopped"
    assert seen == ["reload"]
    assert signal.getsignal(number) == before


def test_a_second_signal_does_not_wait() -> None:
    async def main(signals: Signals) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await signals.stop.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(60)

    with pytest.raises(asyncio.CancelledError):
        loop.run(main)


def test_the_service_manager_is_told(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        notify = ServiceNotify.from_environment(
            {
                "NOTIFY_SOCKET": str(path),
                "WATCHDOG_USEC": "30000000",
                "WATCHDOG_PID": str(os.getpid()),
            }
        )
        assert notify.watchdog_seconds == 30
        notify.ready()
        notify.status("two\nlines")
        notify.watchdog()
        notify.reloading()
        notify.stopping()
        told = [manager.recv(1000).decode() for _ in range(5)]
    assert told[:3] == ["READY=1", "STATUS=two lines", "WATCHDOG=1"]
    assert told[3].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert told[4] == "STOPPING=1"


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"NOTIFY_SOCKET": ""},
        {"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "x"},
        {"NOTIFY_SOCKET": "@nobody-listens", "WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"},
    ],
)
def test_no_service_manager_no_trouble(environ: dict[str, str]) -> None:
    notify = ServiceNotify.from_environment(environ)
    notify.ready()
    assert notify.watchdog_seconds is None


async def test_write_deadline_counts_what_is_taken() -> None:
    taken = 0
    expired = asyncio.Event()
    checks = 0

    def take() -> int:
        nonlocal taken, checks
        checks += 1
        if checks < 4:
            taken += 1000
        return taken

    deadline = WriteDeadline(0.01, take, expired.set)
    deadline.start()
    deadline.start()
    await expired.wait()
    assert checks == 4  # two spans: one in which octets were taken, one without
    deadline.stop()


async def test_write_deadline_stopped_in_time() -> None:
    expired = asyncio.Event()
    deadline = WriteDeadline(0.01, lambda: 0, expired.set)
    deadline.start()
    deadline.stop()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(expired.wait(), 0.05)
