"""Why a server refused: basic code, then enhanced code, then words; distrust is no dead address."""

import pytest

from mailbox_server.delivery.bounces.causes import Judgement, failed_checks, judge, judge_reply
from mailbox_server.model.bounce import Cause
from mailbox_server.model.outbound import Phase
from mailbox_server.model.reply import reply


@pytest.mark.parametrize(
    ("code", "enhanced", "words", "cause"),
    [
        # protocols.md §7: the causes with their codes.
        (550, "5.1.1", "No", Cause.NO_SUCH_MAILBOX),
        (550, "5.1.2", "No", Cause.NO_SUCH_DOMAIN),
        (550, "5.4.4", "No", Cause.NO_SUCH_DOMAIN),
        (501, "5.1.3", "No", Cause.MALFORMED),
        (556, "5.1.10", "No", Cause.NO_MAIL_DOMAIN),
        (452, "4.2.2", "No", Cause.MAILBOX_FULL),
        (552, "5.2.2", "No", Cause.MAILBOX_FULL),
        (552, "5.3.4", "No", Cause.TOO_LARGE),
        (552, "5.2.3", "No", Cause.TOO_LARGE),
        (421, "4.3.2", "No", Cause.BUSY),
        (421, "4.4.5", "No", Cause.BUSY),
        (451, "4.4.1", "No", Cause.UNREACHABLE),
        (451, "4.4.2", "No", Cause.UNREACHABLE),
        (550, "5.2.1", "No", Cause.DISABLED),
        (550, "5.1.6", "No", Cause.MOVED),
        (550, "5.7.10", "No", Cause.INSECURE),
        (550, "5.7.30", "No", Cause.INSECURE),
        (550, "5.7.20", "No", Cause.SENDER_CHECKS),
        (550, "5.7.23", "No", Cause.SENDER_CHECKS),
        (550, "5.7.25", "No", Cause.SENDER_CHECKS),
        (550, "5.7.26", "No", Cause.SENDER_CHECKS),
        (550, "5.7.28", "No", Cause.RATE),
        (550, "5.6.7", "No", Cause.UNSUPPORTED),
        (554, "5.4.6", "No", Cause.LOOP),
        # Codes that say little leave it to the words.
        (550, "5.7.1", "Message taken for spam", Cause.SPAM),
        (550, "5.7.1", "Recipient unknown here, user unknown", Cause.NO_SUCH_MAILBOX),
        (550, "5.7.1", "No", Cause.POLICY),
        (554, "5.7.1", "Relay access denied", Cause.NOT_SERVED),
        (550, "", "relaying to that domain is denied, relaying not allowed", Cause.NOT_SERVED),
        (550, "5.7.1", "Unable to relay", Cause.NOT_SERVED),
        (450, "4.7.1", "Greylisted, come back in 5 minutes", Cause.GREYLISTED),
        (450, "4.7.1", "Too many messages from you", Cause.RATE),
        (550, "", "User unknown", Cause.NO_SUCH_MAILBOX),
        (550, "5.0.0", "mailbox is full", Cause.MAILBOX_FULL),
        (554, "5.0.0", "Virus found", Cause.CONTENT),
        (550, "5.5.0", "Null MX for that domain", Cause.NO_MAIL_DOMAIN),
        (451, "", "TLS required", Cause.INSECURE),
        # Without words the basic code alone.
        (421, "", "", Cause.BUSY),
        (552, "", "", Cause.MAILBOX_FULL),
        (551, "", "", Cause.MOVED),
        (521, "", "", Cause.NO_MAIL_DOMAIN),
        (550, "", "", Cause.UNKNOWN),
        (None, "", "", Cause.UNKNOWN),
        (None, "4.4.7", "", Cause.EXPIRED),
        # A basic code outweighs an enhanced one that contradicts it.
        (552, "5.1.1", "sorry, over quota", Cause.MAILBOX_FULL),
        (421, "4.2.1", "please try later", Cause.BUSY),
    ],
)
def test_the_class_of_what_was_said(
    code: int | None, enhanced: str, words: str, cause: Cause
) -> None:
    assert judge(code, enhanced, words).cause is cause


@pytest.mark.parametrize(
    "words",
    [
        "Sender blocked using zen.spamhaus.org",
        "[PH01] your IP 192.0.2.1 is on our blocklist",
        "550-5.1.1 MailFrom domain is listed in Spamhaus",
        "rejected: poor reputation",
        "Client host rejected",
        "SPF check failed",
        "rejected by DMARC policy",
        "classified as spam",
        "banned sending IP [192.0.2.1]",
    ],
)
@pytest.mark.parametrize("enhanced", ["5.1.1", "5.1.2", "5.2.1", "5.1.10", "5.0.0", ""])
def test_distrust_by_any_code_is_no_dead_address(words: str, enhanced: str) -> None:
    found = judge(550, enhanced, words)
    assert not found.cause.is_dead_address
    assert found.cause.is_about_sender
    assert found.is_permanent


@pytest.mark.parametrize(
    ("code", "enhanced", "permanent"),
    [(450, "4.1.1", False), (550, "5.1.1", True), (None, "4.2.2", False), (None, "5.2.2", True)],
)
def test_only_the_class_of_the_code_is_for_good(
    code: int | None, enhanced: str, permanent: bool
) -> None:
    for words in ("user unknown", "try again later", ""):
        assert judge(code, enhanced, words).is_permanent is permanent


def test_without_codes_only_certain_words_are_for_good() -> None:
    assert judge(None, "", "no such user here") == Judgement(Cause.NO_SUCH_MAILBOX, True)
    assert judge(None, "", "connection timed out") == Judgement(Cause.UNREACHABLE, False)
    assert judge(None, "", "???") == Judgement(Cause.UNKNOWN, False)


def test_who_refuses_the_sender_has_not_heard_of_the_recipient() -> None:
    refused = reply(550, "5.1.2", "Host not found")
    assert judge_reply(refused, Phase.RCPT).cause is Cause.NO_SUCH_DOMAIN
    assert judge_reply(refused, Phase.MAIL).cause is Cause.SENDER_CHECKS
    quoted = "error after MAIL FROM:<ann@example.org>: 550 unknown user"
    assert judge(None, "", quoted).cause is Cause.SENDER_CHECKS


def test_addresses_are_no_words() -> None:
    assert judge(550, "", "<spamtrap@blacklist.example> user unknown").cause is (
        Cause.NO_SUCH_MAILBOX
    )


def test_what_failed_is_named() -> None:
    refused = reply(550, "5.7.26", "SPF did not pass", "DKIM = did not pass", "no PTR record")
    assert failed_checks(refused) == ("SPF", "DKIM", "the reverse name of our address")
    assert failed_checks(reply(550, "5.7.1", "no")) == ()


@pytest.mark.parametrize("word", ["user ", "domain ", "address ", "@", "<", "(", "550 ", "\0\n"])
def test_long_nonsense_is_judged(word: str) -> None:
    judge(550, "5.0.0", word * 100_000)
