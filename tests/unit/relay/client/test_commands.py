"""MAIL and RCPT lines for every kind of server, and what is not said to some."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.model.address import Address, ReversePath
from mailbox_server.model.envelope import (
    BodyType,
    Notify,
    OriginalRecipient,
    Recipient,
    Return,
)
from mailbox_server.model.outbound import ByMode, DeliverBy
from mailbox_server.model.reply import Reply
from mailbox_server.relay.client.commands import (
    mail_command,
    needs_utf8,
    rcpt_command,
    refusal_of_mail,
    xtext,
)
from mailbox_server.relay.client.mail import Mail
from mailbox_server.relay.client.offer import NO_OFFER, Offer, read_offer
from mailbox_server.smtp.commands import Mail as MailHeard
from mailbox_server.smtp.commands import Rcpt
from mailbox_server.smtp.grammar import parse

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SENDER = ReversePath(Address.parse("a@example.org"))
MAIL = Mail(SENDER, 1234)
ALL = read_offer(
    Reply(
        250,
        "",
        (
            "mx.example.net",
            *("SIZE 5000", "8BITMIME", "SMTPUTF8", "DSN", "REQUIRETLS", "MT-PRIORITY MIXER"),
            *("DELIVERBY 240", "PIPELINING", "CHUNKING"),
        ),
    )
)


def by(seconds: float, mode: ByMode, *, trace: bool = False) -> DeliverBy:
    return DeliverBy(NOW + timedelta(seconds=seconds), mode, trace)


@pytest.mark.parametrize(
    ("mail", "full", "bare"),
    [
        (MAIL, b"<a@example.org> SIZE=1234", b"<a@example.org>"),
        (replace(MAIL, reverse_path=ReversePath(None)), b"<> SIZE=1234", b"<>"),
        (
            replace(MAIL, body=BodyType.EIGHT_BIT_MIME, smtputf8=True),
            b"<a@example.org> SIZE=1234 BODY=8BITMIME SMTPUTF8",
            b"<a@example.org>",
        ),
        (
            replace(MAIL, ret=Return.HEADERS, envelope_id="a b+=c"),
            b"<a@example.org> SIZE=1234 RET=HDRS ENVID=a+20b+2B+3Dc",
            b"<a@example.org>",
        ),
        (
            replace(MAIL, priority=-3),
            b"<a@example.org> SIZE=1234 MT-PRIORITY=-3",
            b"<a@example.org>",
        ),
        (
            replace(MAIL, deliver_by=by(300, ByMode.NOTIFY, trace=True)),
            b"<a@example.org> SIZE=1234 BY=300;NT",
            b"<a@example.org>",
        ),
        (
            replace(MAIL, deliver_by=by(-5, ByMode.NOTIFY)),
            b"<a@example.org> SIZE=1234 BY=-5;N",
            b"<a@example.org>",
        ),
    ],
)
def test_mail(mail: Mail, full: bytes, bare: bytes) -> None:
    assert mail_command(mail, ALL, NOW) == b"MAIL FROM:" + full + b"\r\n"
    assert mail_command(mail, NO_OFFER, NOW) == b"MAIL FROM:" + bare + b"\r\n"


def test_requiretls_is_said_where_it_is_offered() -> None:
    mail = replace(MAIL, require_tls=True)
    assert b" REQUIRETLS" in mail_command(mail, ALL, NOW)
    assert refusal_of_mail(mail, ALL, NOW, is_secured=True) is None


@pytest.mark.parametrize(
    ("recipient", "full"),
    [
        (Recipient(Address.parse("b@example.net")), b"<b@example.net>"),
        (
            Recipient(Address.parse("b@example.net"), Notify.NEVER),
            b"<b@example.net> NOTIFY=NEVER",
        ),
        (
            Recipient(
                Address.parse('"b c"@example.net'),
                Notify.DELAY | Notify.SUCCESS | Notify.FAILURE,
                OriginalRecipient("rfc822", "b c@example.net"),
            ),
            b'<"b c"@example.net> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;b+20c@example.net',
        ),
        (
            Recipient(Address.parse("jö@bücher.example")),
            "<jö@xn--bcher-kva.example>".encode(),
        ),
        (
            Recipient(
                Address.parse("b@example.net"),
                original=OriginalRecipient("utf-8", "jö+x@bücher.example"),
            ),
            rb"<b@example.net> ORCPT=utf-8;j\x{F6}\x{2B}x@b\x{FC}cher.example",
        ),
        (
            Recipient(Address.parse("b@example.net"), original=OriginalRecipient("rfc822", "jö@x")),
            b"<b@example.net>",
        ),
        (
            Recipient(Address.parse("b@example.net"), original=OriginalRecipient("x y\r\n", "b")),
            b"<b@example.net>",
        ),
    ],
)
def test_rcpt(recipient: Recipient, full: bytes) -> None:
    assert rcpt_command(recipient, MAIL, ALL) == b"RCPT TO:" + full + b"\r\n"
    plain = full.partition(b"> ")[0].removesuffix(b">") + b">\r\n"
    assert rcpt_command(recipient, MAIL, NO_OFFER) == b"RCPT TO:" + plain


@pytest.mark.parametrize(
    ("notify", "said"),
    [
        (Notify.UNSAID, b" NOTIFY=FAILURE,DELAY"),
        (Notify.SUCCESS, b" NOTIFY=SUCCESS,DELAY"),
        (Notify.NEVER, b" NOTIFY=NEVER"),
    ],
)
def test_who_does_not_know_by_is_asked_to_tell_of_delays(notify: Notify, said: bytes) -> None:
    """RFC 2852 §4.1.4.2."""
    mail = replace(MAIL, deliver_by=by(300, ByMode.NOTIFY))
    recipient = Recipient(Address.parse("b@example.net"), notify)
    offer = Offer(frozenset({"DSN"}))
    assert rcpt_command(recipient, mail, offer) == b"RCPT TO:<b@example.net>" + said + b"\r\n"


@pytest.mark.parametrize(
    ("mail", "offer", "enhanced"),
    [
        (replace(MAIL, size=5000), ALL, None),
        (replace(MAIL, size=5001), ALL, "5.3.4"),
        (replace(MAIL, size=10**9), NO_OFFER, None),
        (replace(MAIL, require_tls=True), NO_OFFER, "5.7.30"),
        (replace(MAIL, deliver_by=by(300, ByMode.RETURN)), ALL, None),
        (replace(MAIL, deliver_by=by(200, ByMode.RETURN)), ALL, "5.4.7"),
        (replace(MAIL, deliver_by=by(0, ByMode.RETURN)), ALL, "5.4.7"),
        (replace(MAIL, deliver_by=by(300, ByMode.RETURN)), NO_OFFER, "5.4.7"),
        (replace(MAIL, deliver_by=by(1, ByMode.NOTIFY)), NO_OFFER, None),
        (replace(MAIL, reverse_path=ReversePath(Address.parse("ö@a.example"))), ALL, None),
        (replace(MAIL, reverse_path=ReversePath(Address.parse("ö@a.example"))), NO_OFFER, "5.6.7"),
        (replace(MAIL, reverse_path=ReversePath(Address.parse("o@ä.example"))), NO_OFFER, None),
    ],
)
def test_what_is_not_said_at_all(mail: Mail, offer: Offer, enhanced: str | None) -> None:
    refusal = refusal_of_mail(mail, offer, NOW, is_secured=False)
    assert (refusal and refusal.enhanced) == enhanced


def test_who_needs_utf8() -> None:
    assert needs_utf8(Address.parse("ö@a.example"), NO_OFFER)
    assert not needs_utf8(Address.parse("ö@a.example"), ALL)
    assert not needs_utf8(Address.parse("o@ä.example"), NO_OFFER)


@given(st.text(max_size=40), st.text(min_size=1, max_size=40))
def test_our_own_server_reads_what_we_write(envelope_id: str, original: str) -> None:
    """Whatever the texts hold, a line is one line; what may be passed on comes back the same."""
    mail = replace(MAIL, envelope_id=envelope_id, body=BodyType.EIGHT_BIT_MIME, smtputf8=True)
    line = mail_command(mail, ALL, NOW)
    assert line.count(b"\n") == line.count(b"\r") == 1
    offer = Offer(ALL.keywords - {"MT-PRIORITY", "DELIVERBY"})
    heard = parse(mail_command(mail, offer, NOW)[:-2])
    if envelope_id.isascii() and envelope_id.isprintable() and len(xtext(envelope_id)) <= 100:
        assert isinstance(heard, MailHeard)
        assert heard.parameters.envelope_id == (envelope_id or None)
    for kind in ("utf-8", "rfc822"):
        recipient = Recipient(
            Address.parse("b@example.net"), Notify.SUCCESS, OriginalRecipient(kind, original)
        )
        line = rcpt_command(recipient, mail, ALL)
        assert line.count(b"\n") == line.count(b"\r") == 1
        said = parse(line[:-2])
        if isinstance(said, Rcpt) and said.original is not None:
            assert said.original == OriginalRecipient(kind, original)
        elif original.isprintable() and (kind == "utf-8" or original.isascii()):
            assert len(line) > 500 or (kind == "rfc822" and not original.isascii())


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("mx",), NO_OFFER),
        (("mx", "size 100", "pipelining"), Offer(frozenset({"SIZE", "PIPELINING"}), 100)),
        (("mx", "SIZE"), Offer(frozenset({"SIZE"}))),
        (("mx", "SIZE 0"), Offer(frozenset({"SIZE"}))),
        (("mx", "SIZE -5"), Offer(frozenset({"SIZE"}))),
        (("mx", "SIZE " + "9" * 30), Offer(frozenset({"SIZE"}))),
        (("mx", "SIZE ٣"), Offer(frozenset({"SIZE"}))),
        (
            ("mx", "AUTH plain LOGIN", "AUTH=CRAM-MD5 PLAIN"),
            Offer(frozenset({"AUTH"}), mechanisms=frozenset({"PLAIN", "LOGIN", "CRAM-MD5"})),
        ),
        (
            ("mx", "LIMITS MAILMAX=5 rcptmax=7 RCPTDOMAINMAX=x"),
            Offer(frozenset({"LIMITS"}), mail_max=5, rcpt_max=7),
        ),
        (("mx", "", "  ", "-X", "ÄÖ", "X_Y", "="), NO_OFFER),
        (("PIPELINING",), NO_OFFER),
    ],
)
def test_offers(lines: tuple[str, ...], expected: Offer) -> None:
    assert read_offer(Reply(250, "", lines)) == expected
