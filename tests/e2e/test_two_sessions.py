"""Two clients on one mailbox hear of each other's changes, and of new mail, at once."""

import imaplib
import time
from collections.abc import Callable, Iterator

import pytest
from imapclient import IMAPClient

from tests.e2e.appliance import PASSWORDS, Appliance, address
from tests.e2e.mail import TRICKY, imap, send, trust

BOUND_SECONDS = 5.0
"""Far above what it takes (milliseconds), far below any polling interval of a client."""


@pytest.fixture
def idler(appliance: Appliance) -> Iterator[IMAPClient]:
    """An IMAPClient with an empty INBOX of ann selected."""
    client = IMAPClient(
        "localhost", appliance.ports["imaps"], ssl_context=trust(appliance), timeout=30
    )
    client.login(address("ann"), PASSWORDS["ann"])
    client.select_folder("INBOX")
    client.delete_messages(client.search())
    client.expunge()
    yield client
    client.logout()


@pytest.fixture
def other(appliance: Appliance, idler: IMAPClient) -> Iterator[imaplib.IMAP4_SSL]:
    """An imaplib client on the same mailbox."""
    client = imap(appliance)
    client.select("INBOX")
    yield client
    client.logout()


def _heard(client: IMAPClient, done: Callable[[list[object]], bool]) -> list[object]:
    """What an idling client heard until done says it is enough; fails after the bound."""
    heard: list[object] = []
    deadline = time.monotonic() + BOUND_SECONDS
    while not done(heard):
        left = deadline - time.monotonic()
        assert left > 0, f"within {BOUND_SECONDS} s only this was heard: {heard}"
        heard += client.idle_check(timeout=left)
    return heard


def _append(client: imaplib.IMAP4, count: int) -> None:
    for _ in range(count):
        assert client.append("INBOX", "()", None, TRICKY)[0] == "OK"


def test_an_idling_client_hears_of_new_mail(appliance: Appliance, idler: IMAPClient) -> None:
    idler.idle()
    send(appliance, TRICKY, [address("ann")])
    _heard(idler, lambda heard: (1, b"EXISTS") in heard)
    send(appliance, TRICKY, [address("ann")])
    _heard(idler, lambda heard: (2, b"EXISTS") in heard)
    idler.idle_done()
    assert len(idler.fetch(idler.search(), ["BODY.PEEK[]"])) == 2


def test_an_idling_client_hears_of_flags_and_expunges(
    idler: IMAPClient, other: imaplib.IMAP4_SSL
) -> None:
    idler.idle()
    _append(other, 3)
    _heard(idler, lambda heard: (3, b"EXISTS") in heard)
    assert other.store("2", "+FLAGS", r"(\Flagged colour)")[0] == "OK"

    def flagged(heard: list[object]) -> bool:
        return any(line[:2] == (2, b"FETCH") for line in heard if isinstance(line, tuple))

    (told,) = [line for line in _heard(idler, flagged) if isinstance(line, tuple) and len(line) > 2]
    values = dict(zip(told[2][::2], told[2][1::2], strict=True))
    assert {rb"\Flagged", b"colour"} <= set(values[b"FLAGS"])
    other.store("2", "+FLAGS.SILENT", r"(\Deleted)")
    assert other.expunge() == ("OK", [b"2"])
    _heard(idler, lambda heard: (2, b"EXPUNGE") in heard)
    idler.idle_done()
    assert len(idler.search()) == 2


def test_an_idling_client_hears_of_what_moves_in_and_out(
    idler: IMAPClient, other: imaplib.IMAP4_SSL
) -> None:
    _append(other, 2)
    idler.noop()
    idler.idle()
    (uid,) = other.uid("SEARCH", None, "1")[1]
    assert other.uid("MOVE", uid.decode(), "Archive")[0] == "OK"
    _heard(idler, lambda heard: (1, b"EXPUNGE") in heard)
    assert other.select("Archive")[0] == "OK"
    assert other.copy("1", "INBOX")[0] == "OK"
    _heard(idler, lambda heard: (2, b"EXISTS") in heard)
    idler.idle_done()


def test_expunges_wait_while_numbers_are_in_use(
    idler: IMAPClient, other: imaplib.IMAP4_SSL
) -> None:
    """RFC 9051 §7.5.1: no EXPUNGE in answer to FETCH, STORE or SEARCH by number."""
    _append(other, 3)
    assert other.select("INBOX")[1] == [b"3"]
    idler.noop()
    idler.delete_messages([idler.search()[0]])
    idler.expunge()
    for number in ("1", "2", "3"):
        status, data = other.fetch(number, "(FLAGS)")
        assert status == "OK"
        assert data[0].startswith(number.encode() + b" (")
    assert other.response("EXPUNGE")[1] == [None]
    assert other.noop()[0] == "OK"
    assert other.response("EXPUNGE")[1] == [b"1"]
    assert other.search(None, "ALL")[1] == [b"1 2"]


def test_a_client_that_asks_is_told_of_everything(
    appliance: Appliance, idler: IMAPClient, other: imaplib.IMAP4_SSL
) -> None:
    send(appliance, TRICKY, [address("ann")])
    assert other.noop()[0] == "OK"
    assert other.response("EXISTS")[1][-1] == b"1"
    idler.noop()
    (uid,) = idler.search()
    idler.add_flags([uid], [rb"\Answered"])
    assert other.noop()[0] == "OK"
    assert rb"\Answered" in other.response("FETCH")[1][-1]
