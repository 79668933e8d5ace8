"""The words of a report: what happened to whom, what was said, what to do."""

from datetime import UTC, datetime, timedelta

from mailbox_server.delivery.bounces.wording import (
    RECIPIENTS_TOLD,
    WIDTH,
    Letter,
    Told,
    subject_line,
    text,
)
from mailbox_server.mime.reports.delivery_status import Action
from mailbox_server.mime.reports.returned import Returned
from mailbox_server.model.address import Address
from mailbox_server.model.bounce import Cause
from mailbox_server.model.reply import Reply, reply

SENT = datetime(2026, 11, 29, 10, 5, tzinfo=UTC)
LETTER = Letter("mx.example.org", "Lunch", SENT, Returned.HEADER)
BOB, CAROL = Address.parse("bob@example.net"), Address.parse("carol@exmaple.com")
NO_USER = reply(550, "5.1.1", "No such user")


def told(
    address: Address = BOB,
    action: Action = Action.FAILED,
    cause: Cause = Cause.NO_SUCH_MAILBOX,
    said: Reply | None = NO_USER,
    *,
    gave_up: bool = False,
    next_try: datetime | None = None,
    suggestion: Address | None = None,
) -> Told:
    return Told(
        address,
        action,
        cause,
        said,
        "mx.example.net [192.0.2.1]",
        SENT,
        SENT + timedelta(days=5),
        next_try,
        gave_up,
        suggestion=suggestion,
    )


def test_a_failure_in_plain_words() -> None:
    assert text(LETTER, [told()]) == (
        "This is the mail server mx.example.org.\n"
        "\n"
        "Your message could not be delivered to the following recipient:\n"
        "\n"
        "bob@example.net\n"
        "    There is no mailbox of this name at example.net. Please check the\n"
        "    spelling of the part before the @, and send the message again.\n"
        "    mx.example.net [192.0.2.1] said:\n"
        "        550 5.1.1 No such user\n"
        "\n"
        "It is about your message of 29 November 2026, 10:05 UTC with the subject\n"
        '"Lunch".\n'
        "\n"
        "Below are the details for mail programs, and the header of the message.\n"
    )


def test_a_delay_says_that_nothing_is_lost_and_what_comes_next() -> None:
    busy = reply(421, "4.3.2", "Too busy")
    delayed = told(
        action=Action.DELAYED, cause=Cause.BUSY, said=busy, next_try=SENT + timedelta(hours=5)
    )
    words = " ".join(text(LETTER, [delayed]).split())
    assert "could not be delivered yet to the following recipient:" in words
    assert "The other server is busy or out of order. Nothing is lost: we try again" in words
    assert "on 29 November 2026, 15:05 UTC, and keep trying until 4 December 2026" in words
    assert "You need not do anything." in words


def test_what_was_given_up_says_since_when() -> None:
    words = " ".join(text(LETTER, [told(cause=Cause.UNREACHABLE, gave_up=True)]).split())
    assert "The other server does not answer. We have tried since 29 November 2026," in words


def test_a_near_address_is_suggested() -> None:
    near = Address.parse("carol@example.com")
    words = " ".join(text(LETTER, [told(CAROL, suggestion=near)]).split())
    assert "Did you mean carol@example.com? You have written to that address before." in words


def test_good_and_bad_news_stand_apart() -> None:
    words = text(LETTER, [told(BOB, Action.DELIVERED), told(CAROL)])
    assert words.index(str(CAROL)) < words.index(str(BOB))
    assert "has been delivered to the following recipient:" in words
    assert words.count("said:") == 1


def test_the_owner_of_a_forward_hears_of_it_in_other_words() -> None:
    owner = Address.parse("ann@example.org")
    letter = Letter("mx.example.org", "", SENT, Returned.WHOLE, ("eve@example.com", owner))
    words = " ".join(text(letter, [told()]).split())
    assert "A message from eve@example.com that came for ann@example.org could not be" in words
    assert "It is about the message of 2" in words, "which is not the owner's"
    assert "your message" not in words
    assert "Its sender was not told." in words
    assert "and the message itself." in words


def test_what_a_peer_said_is_cut_and_has_no_controls() -> None:
    said = Reply(550, "5.0.0", tuple("x" * 5_000 + "\x1b[31m" for _ in range(200)))
    words = text(LETTER, [told(said=said)])
    assert "\x1b" not in words
    assert len(words) < 20_000
    assert max(map(len, words.splitlines())) <= WIDTH


def test_many_recipients_are_told_up_to_a_limit() -> None:
    words = text(LETTER, [told()] * (RECIPIENTS_TOLD + 50))
    assert words.count("bob@example.net\n") == RECIPIENTS_TOLD


def test_the_subject_is_one_line_and_short() -> None:
    letter = Letter("mx.example.org", "a\r\nBcc: x@y " + "long " * 100, SENT, Returned.HEADER)
    subject = subject_line(letter, Action.FAILED)
    assert subject.startswith("Not delivered: a Bcc: x@y long")
    assert "\n" not in subject and len(subject) < 130
    assert subject_line(Letter("h", "", SENT, Returned.HEADER), Action.DELAYED) == (
        "Not delivered yet: your message"
    )
