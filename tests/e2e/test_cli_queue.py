"""The queue in an operator's hands, with the server up and with the server down."""

from collections.abc import Iterator

import pytest

from tests.e2e.appliance import Appliance
from tests.e2e.queued import EVIL, queue_mail
from tests.e2e.test_cli_verbs import refused, rows, verb


@pytest.fixture(scope="module", params=["up", "down"])
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Appliance]:
    """An appliance with mail in its queue, its server up or down."""
    appliance = Appliance(tmp_path_factory.mktemp(request.param))
    appliance.open_accounts(["ann", "bob"])
    queue_mail(appliance.data)
    if request.param == "up":
        appliance.start()
    yield appliance
    assert appliance.stop() == 0


def listed(house: Appliance, *words: str) -> list[str]:
    return [row["id"] for row in rows(house, "queue", "list", *words)]


def test_a_list_is_filtered(house: Appliance) -> None:
    assert listed(house) == ["q5", "q1", "q2", "q3", "q4"]
    assert listed(house, "--domain", "b.invalid") == ["q3", "q4"]
    assert listed(house, "--to", "V1@a.invalid") == ["q1"]
    assert listed(house, "--from", "bob@example.test") == ["q5", "q4"]
    assert listed(house, "--account", "ann@example.test") == ["q1", "q2", "q3"]
    assert listed(house, "--older", "1d") == listed(house, "--state", "held") == []
    assert "no account" in refused(house, 1, "queue", "list", "--account", "x@example.test")
    assert "no time" in refused(house, 2, "queue", "list", "--older", "soon")
    assert verb(house, "queue", "list", "--state", "held") == b"none\n"


def test_what_is_to_leave_later_is_listed_and_cancelled(house: Appliance) -> None:
    first, second = rows(house, "queue", "later", "--account", "bob@example.test")
    assert (first["account"], first["sender"]) == ("bob@example.test",) * 2
    assert (first["recipients"], second["recipients"]) == (["v6@a.invalid"], ["v7@a.invalid"])
    assert b"v6@a.invalid" in verb(house, "queue", "later")
    assert "IDs, or a filter, or --all" in refused(house, 2, "queue", "cancel")
    assert verb(house, "queue", "cancel", first["id"]).startswith(b"1 message cancelled")
    assert "does not wait" in refused(house, 1, "queue", "cancel", first["id"])
    assert verb(house, "queue", "cancel", "--to", "v9@a.invalid").startswith(b"0 messages")
    assert rows(house, "queue", "cancel", "--all")["count"] == 1
    assert verb(house, "queue", "later") == b"none\n"
    assert b"not to leave, by the operator" in verb(house, "message", "trace", first["id"])


def test_what_others_said_is_shown_without_controls(house: Appliance) -> None:
    for words in (("queue", "list"), ("queue", "show", "s1"), ("queue", "show", "q3")):
        for as_json in ((), ("--json",)):
            shown = verb(house, *words, *as_json).decode()
            assert "come" in shown and "back" in shown
            assert all(each.isprintable() for each in shown.replace("\n", "")), words


def test_one_is_shown_with_its_attempts(house: Appliance) -> None:
    story = rows(house, "queue", "show", "q3")
    assert [each["id"] for each in story["recipients"]] == ["q3"]
    assert story["recipients"][0]["attempts"][0]["code"] == 450
    shown = verb(house, "queue", "show", "q3").decode()
    assert "v3@b.invalid: deferred by mx.b.invalid at RCPT, no TLS" in shown
    assert "v3@b.invalid (q3) waits, next try 2100-01-01 00:00:00" in shown
    assert "no q99" in refused(house, 1, "queue", "show", "q99")
    assert "no id" in refused(house, 1, "queue", "show", "\x1b[2J")


def test_the_way_of_a_message_is_told(house: Appliance) -> None:
    for what in ("s1", "q3", "<1@example.org>", "1@example.org", "v3@b.invalid"):
        (story,) = rows(house, "message", "trace", what)
        assert (story["id"], len(story["recipients"])) == ("s1", 3)
        assert story["recipients"][2]["attempts"][0]["words"] == [EVIL]
    shown = verb(house, "message", "trace", "ann@example.test").decode()
    assert shown.startswith("s1: submission of ann@example.test\nSender:     <ann@example.test>\n")
    assert "  handed in by ann@example.test, hello \ufffd" in shown
    assert "v3@b.invalid: deferred by mx.b.invalid at RCPT, no TLS" in shown
    assert all(each.isprintable() for each in shown.replace("\n", ""))
    both = verb(house, "message", "trace", "<1@example.org>", "--since", "1h", "--limit", "1")
    assert both.startswith(b"s1: ")
    assert rows(house, "message", "trace", "nobody@x.example") == []
    assert "nothing is known" in refused(house, 1, "message", "trace", "nobody@x.example")
    assert "no message m99" in refused(house, 1, "message", "trace", "m99")
    assert "no time" in refused(house, 2, "message", "trace", "x", "--since", "soon")


def test_some_are_held_and_released(house: Appliance) -> None:
    assert verb(house, "queue", "hold", "q1", "q2") == b"2 recipients held\n"
    assert listed(house, "--state", "held") == ["q1", "q2"]
    assert rows(house, "queue", "hold", "--domain", "b.invalid") == {"count": 2}
    assert "no q99" in refused(house, 1, "queue", "release", "q1", "q99")
    assert listed(house, "--state", "held") == ["q1", "q2", "q3", "q4"]


def test_another_way_is_told_by_name(house: Appliance) -> None:
    assert verb(house, "queue", "route", "smart.example:25", "q1") == (
        b"1 recipient sent another way\n"
    )
    ways = [row["route"] for row in rows(house, "queue", "list", "--domain", "a.invalid")]
    assert ways == ["smart.example:25", None]
    rows(house, "queue", "route", "default", "--all")
    assert {row["route"] for row in rows(house, "queue", "list")} == {None}
    assert "no host" in refused(house, 1, "queue", "route", "not a host", "q1")


@pytest.mark.parametrize("words", [[], ["q1", "--all"], ["--all", "--state", "held"]])
def test_it_must_be_said_which(house: Appliance, words: list[str]) -> None:
    assert "expected" in refused(house, 2, "queue", "drop", *words)


def test_what_is_to_be_tried_again_is_tried_by_a_server_that_runs(house: Appliance) -> None:
    assert rows(house, "queue", "retry", "q5") == {"count": 1}
    (recipient,) = rows(house, "queue", "show", "q5")["recipients"]
    for _ in range(200):
        if recipient["attempts"] or not house.is_running:
            break
        (recipient,) = rows(house, "queue", "show", "q5")["recipients"]
    assert bool(recipient["attempts"]) is house.is_running
    assert not recipient["due"].startswith("2100")
    rows(house, "queue", "drop", "s3")


def test_they_end_with_and_without_a_report(house: Appliance) -> None:
    assert verb(house, "queue", "drop", "q1") == b"1 recipient dropped; nobody is told\n"
    before = rows(house, "account", "list")[0]["messages"]
    bounced = verb(house, "queue", "bounce", "--account", "ann@example.test")
    assert bounced == b"2 recipients returned to their senders\n"
    assert rows(house, "account", "list")[0]["messages"] == before + 1
    (report,) = rows(house, "message", "list", "ann@example.test")
    assert report["subject"].startswith("Not delivered: gr\u00fc\u00dfe")
    assert rows(house, "queue", "show", "q2")["recipients"][0]["state"] == "failed"
    assert listed(house) == ["q4"]
    assert rows(house, "queue", "drop", "--all") == {"count": 1}
    assert listed(house) == []
    assert rows(house, "store", "check") == []
