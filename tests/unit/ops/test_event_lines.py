"""An event is one line that nobody's octets can break, forge or colour."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.model.ports import EventField
from mailbox_server.ops.event_lines import (
    FIELD_CHARACTERS,
    Event,
    Severity,
    human_line,
    journal_line,
    json_line,
)

AT = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)
HOSTILE = 'a b="c"\r\n<3>forged\x1b[31m\x00\x85\u2028\u202e\udcff'

fields = st.dictionaries(
    st.from_regex(r"[a-z_]{1,10}", fullmatch=True),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    max_size=5,
)


def _event(error: BaseException | None = None, /, **given: EventField) -> Event:
    return Event(AT, Severity.WARNING, "smtp.accepted", given, error)


@given(fields)
def test_json_is_one_line_and_says_the_same(given: dict[str, EventField]) -> None:
    line = json_line(_event(**given))
    assert line.isprintable()
    found = json.loads(line)
    for name, value in given.items():
        if name in ("time", "level", "event") or value is None:
            continue
        if isinstance(value, str):
            assert found[name] == value[:FIELD_CHARACTERS]
        elif not isinstance(value, float) or value - value == 0:
            assert found[name] == value


@given(fields)
def test_the_other_lines_are_one_printable_line(given: dict[str, EventField]) -> None:
    assert human_line(_event(**given), colored=False).isprintable()
    assert journal_line(_event(**given)).isprintable()


def test_json_has_time_level_and_event_first() -> None:
    assert json_line(_event(peer="192.0.2.1", tls=True, user=None)) == (
        '{"time": "2026-01-02T03:04:05.678+00:00", "level": "warning", '
        '"event": "smtp.accepted", "peer": "192.0.2.1", "tls": true}'
    )


def test_the_journal_gets_a_priority_and_no_time() -> None:
    assert journal_line(_event(octets=3, subject="a b")) == (
        '<4>smtp.accepted octets=3 subject="a b"'
    )


def test_hostile_text_is_quoted() -> None:
    line = journal_line(_event(x=HOSTILE))
    assert "\\n<3>forged\\u001b[31m\\u0000\\u0085\\u2028\\u202e\\udcff" in line


def test_people_see_time_level_event_and_fields() -> None:
    plain = human_line(_event(account="ann@example.test"), colored=False)
    assert plain.endswith("warning smtp.accepted          account=ann@example.test")
    assert "\x1b[33mwarning\x1b[0m" in human_line(_event(), colored=True)


def test_long_fields_are_cut() -> None:
    assert len(json.loads(json_line(_event(x="y" * 5000)))["x"]) == FIELD_CHARACTERS


def _raised() -> BaseException:
    try:
        raise ValueError("line one\nline two\x1b")
    except ValueError as error:
        return error


def test_a_traceback_is_a_field_for_machines_and_lines_for_people() -> None:
    error = _raised()
    assert json.loads(json_line(_event(error)))["exception"].startswith("Traceback")
    assert journal_line(_event(error)).isprintable()
    lines = human_line(_event(error), colored=False).split("\n")
    assert len(lines) > 3
    assert all(line.isprintable() for line in lines)
    assert all(line.startswith("    ") for line in lines[1:])


@pytest.mark.parametrize("severity", Severity)
def test_every_severity_can_be_shown(severity: Severity) -> None:
    event = Event(AT, severity, "a.b", {}, None)
    for line in (json_line(event), journal_line(event), human_line(event, colored=True)):
        assert "a.b" in line
