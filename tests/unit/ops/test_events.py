"""Events never make their teller wait; what is lost is counted; levels change live."""

import io
import json
import logging
import os
import threading
from collections.abc import Callable

import pytest

from mailbox_server.ops.events import EventLog


class Blocked(io.StringIO):
    """A stream that takes nothing until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.free = threading.Event()

    def write(self, text: str) -> int:
        self.entered.set()
        self.free.wait(30)
        return super().write(text)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_events_are_written_in_order() -> None:
    stream = io.StringIO()
    log = EventLog("json", stream=stream)
    log.info("a.one", x=1)
    log.warning("a.two")
    log.fault("a.three", ValueError("trouble"))
    log.close()
    found = _lines(stream)
    assert [(line["event"], line["level"]) for line in found] == [
        ("a.one", "info"),
        ("a.two", "warning"),
        ("a.three", "error"),
    ]
    assert "ValueError: trouble" in str(found[2]["exception"])


def test_the_level_changes_live() -> None:
    stream = io.StringIO()
    log = EventLog("json", "error", stream)
    log.info("a.one")
    log.warning("a.two")
    log.set_level("warning")
    log.info("a.three")
    log.warning("a.four")
    log.set_level("info")
    log.info("a.five")
    log.close()
    assert [line["event"] for line in _lines(stream)] == ["a.four", "a.five"]


def test_what_does_not_fit_is_dropped_and_counted() -> None:
    stream = Blocked()
    log = EventLog("json", stream=stream, queue_lines=5)
    log.info("first")
    assert stream.entered.wait(30)
    for number in range(20):
        log.info("more", number=number)
    stream.free.set()
    log.close()
    found = _lines(stream)
    assert [line["number"] for line in found if line["event"] == "more"] == [0, 1, 2, 3, 4]
    assert [line["count"] for line in found if line["event"] == "log.dropped"] == [15]


def test_a_stream_that_does_not_move_does_not_hold_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mailbox_server.ops.events.CLOSE_SECONDS", 0.01)
    stream = Blocked()
    log = EventLog("json", stream=stream, queue_lines=1)
    log.info("first")
    assert stream.entered.wait(30)
    log.info("second")
    log.close()
    stream.free.set()


def test_a_stream_that_breaks_ends_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        log = EventLog("json", stream=stream)
        log.info("into nothing")
        log.close()


def test_a_field_that_cannot_be_shown_ends_nothing() -> None:
    stream = io.StringIO()
    log = EventLog("json", stream=stream)
    log.info("bad", field=object())  # type: ignore[arg-type]
    log.info("good")
    log.close()
    assert {line["event"] for line in _lines(stream)} >= {"good"}


def test_libraries_are_heard_from_warnings_on() -> None:
    stream = io.StringIO()
    log = EventLog("json", stream=stream)
    logging.getLogger("mail.log").info("not this")
    logging.getLogger("mail.log").warning("%s\nforged", "peer said")
    logging.getLogger("asyncio").error("trouble", exc_info=ValueError("x"))
    log.close()
    logging.getLogger("asyncio").warning("after the end")
    first, second = _lines(stream)
    assert (first["event"], first["text"]) == ("library.mail.log", "peer said\nforged")
    assert (second["event"], second["level"]) == ("library.asyncio", "error")
    assert "ValueError" in str(second["exception"])


@pytest.mark.parametrize(
    ("make", "chosen", "environ", "beginning"),
    [
        (io.StringIO, "auto", {}, '{"time"'),
        (io.StringIO, "auto", {"JOURNAL_STREAM": "1:2"}, "<6>a.b"),
        (Terminal, "auto", {"JOURNAL_STREAM": "1:2"}, None),
        (Terminal, "json", {}, '{"time"'),
        (io.StringIO, "journald", {}, "<6>a.b"),
    ],
)
def test_the_format_fits_where_it_goes(
    make: Callable[[], io.StringIO],
    chosen: str,
    environ: dict[str, str],
    beginning: str | None,
) -> None:
    stream = make()
    log = EventLog(chosen, stream=stream, environ=environ)  # type: ignore[arg-type]
    log.info("a.b")
    log.close()
    if beginning is None:
        assert "\x1b[32minfo" in stream.getvalue()
    else:
        assert stream.getvalue().startswith(beginning)
