"""The content ends at CR LF . CR LF and nowhere else (S1, S2; RFC 5321 §2.3.8, §4.1.1.4).

144 variants, whole over sockets and cut in two at every octet into the engine: one mail or
a refusal, never two, and nothing stored that holds a CR, LF or NUL by itself.  Four of them
hold the true end; there the second transaction is one, which shows that the test would see
it elsewhere.
"""

import re
from collections.abc import Callable

import pytest

from mailbox_server.smtp import commands
from mailbox_server.smtp.engine import ContentBlock, ContentEnd, Engine
from mailbox_server.smtp.limits import SmtpLimits
from tests.e2e.appliance import Appliance, address
from tests.e2e.attacks.end_of_data import VARIANTS, is_honest, smuggling
from tests.e2e.attacks.raw import raw
from tests.e2e.mail import content_of, fetch_all

BARE = re.compile(rb"(?<!\r)\n|\r(?!\n)|\0")
ANN = address("ann").encode()


def through_engine(*pieces: bytes) -> tuple[list[bytes | None], int]:
    """What the contents came to (None: refused), and how many MAIL commands were seen."""
    engine = Engine(SmtpLimits())
    engine.begin_content()
    contents: list[bytes | None] = []
    kept, mails = b"", 0
    for piece in pieces:
        engine.feed(piece)
        while (value := engine.next_value()) is not None:
            match value:
                case ContentBlock(octets):
                    kept += octets
                case ContentEnd(problem):
                    contents.append(kept if problem is None else None)
                    kept = b""
                case commands.Data():
                    engine.begin_content()
                case commands.Mail():
                    mails += 1
    return contents, mails


def test_there_are_enough(record_property: Callable[[str, object], None]) -> None:
    record_property("variants", len(VARIANTS))
    record_property("cuts", sum(len(smuggling(each, ANN, b"0")) - 1 for _, each in VARIANTS))
    assert len({variant for _, variant in VARIANTS}) >= 135
    assert sum(is_honest(variant) for _, variant in VARIANTS) == 4


@pytest.mark.parametrize("variant", [each for _, each in VARIANTS], ids=[n for n, _ in VARIANTS])
def test_however_it_is_cut(variant: bytes) -> None:
    """All of a variant's cuts; test_there_are_enough tells how many there are together."""
    sent = smuggling(variant, ANN, b"0")
    whole = through_engine(sent)
    contents, mails = whole
    assert (len(contents), mails) == ((2, 1) if is_honest(variant) else (1, 0))
    for content in contents:
        assert content is None or not BARE.search(content)
    for cut in range(1, len(sent)):
        assert through_engine(sent[:cut], sent[cut:]) == whole, cut


@pytest.mark.parametrize("service", ["smtp", "lmtp"])
def test_over_sockets(
    appliance: Appliance, service: str, record_property: Callable[[str, object], None]
) -> None:
    hello = b"LHLO c" if service == "lmtp" else b"EHLO c"
    accepted = {}
    for number, (name, variant) in enumerate(VARIANTS):
        mark = b"%s-%d." % (service.encode(), number)
        with raw(appliance, service) as one:
            assert one.say(hello).startswith(b"250")
            assert one.say(b"MAIL FROM:<a@example.net> BODY=8BITMIME").startswith(b"250")
            assert one.say(b"RCPT TO:<" + ANN + b">").startswith(b"250")
            assert one.say(b"DATA").startswith(b"354")
            one.send(smuggling(variant, ANN, mark))
            one.end_sending()
            answers = one.rest().splitlines()
        codes = [answer[:3] for answer in answers]
        assert codes[0] in (b"250", b"550"), (name, answers)
        # Even there the content is refused, which came without waiting for 354.
        rest = [b"250", b"250", b"554"] if is_honest(variant) else []
        assert codes[1:] == rest, (name, answers)
        accepted[mark] = codes[0] == b"250"
    stored = fetch_all(appliance)
    second = [each for each in stored if b"Subject: second %s-" % service.encode() in each]
    record_property("variants", len(VARIANTS))
    record_property("mails smuggled in", sum(b"Subject: first" not in each for each in second))
    for message in stored:
        assert not BARE.search(content_of(message))
    for mark, is_accepted in accepted.items():
        kept = [message for message in stored if b"Subject: first " + mark in message]
        assert len(kept) == is_accepted
        assert sum(b"Subject: second " + mark in each for each in stored) <= len(kept)
    assert not [message for message in stored if content_of(message).startswith(b"Subject: second")]
