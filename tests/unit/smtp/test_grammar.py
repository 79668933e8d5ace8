"""Command lines become commands: paths, parameters, xtext, and what is refused of them."""

from dataclasses import replace

import pytest

from mailbox_server.model.address import Address, ReversePath
from mailbox_server.model.envelope import BodyType, Notify, OriginalRecipient, Return, Verp
from mailbox_server.model.outbound import ByMode
from mailbox_server.model.reply import Reply
from mailbox_server.smtp import replies
from mailbox_server.smtp.commands import (
    Auth,
    By,
    Command,
    Data,
    Foreign,
    Hello,
    Help,
    Mail,
    MailParameters,
    Malformed,
    Noop,
    Quit,
    Rcpt,
    Rset,
    StartTls,
    Vrfy,
)
from mailbox_server.smtp.grammar import parse, utf8_address_decoded, xtext_decoded


def sender(line: bytes) -> str:
    command = parse(line)
    assert isinstance(command, Mail), command
    return str(command.path)


def recipient(line: bytes) -> str | None:
    command = parse(line)
    assert isinstance(command, Rcpt), command
    return None if command.address is None else str(command.address)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"DATA", Data()),
        (b"data ", Data()),
        (b"RSET", Rset()),
        (b"QUIT", Quit()),
        (b"STARTTLS", StartTls()),
        (b"NOOP", Noop()),
        (b"NOOP what ever", Noop()),
        (b"HELP MAIL", Help()),
        (b"VRFY ann", Vrfy()),
        (b"AUTH plain dGVzdA==", Auth("PLAIN", b"dGVzdA==")),
        (b"AUTH PLAIN =", Auth("PLAIN", b"=")),
        (b"AUTH LOGIN ", Auth("LOGIN")),
        (b"EHLO Client.Example", Hello("EHLO", "client.example")),
        (b"helo client.example.", Hello("HELO", "client.example")),
        (b"LHLO [192.0.2.1]", Hello("LHLO", "[192.0.2.1]")),
        (b"EHLO [IPv6:2001:db8::1]", Hello("EHLO", "[IPv6:2001:db8::1]")),
        (b"EHLO my_pc", Hello("EHLO", "")),
        (b"EHLO [x]", Hello("EHLO", "")),
        (b"EHLO a b", Hello("EHLO", "")),
        ("EHLO bücher.example".encode(), Hello("EHLO", "")),
        (b"HELO B\xdcRO-PC", Hello("HELO", "")),
    ],
)
def test_simple_commands(line: bytes, command: Command) -> None:
    assert parse(line) == command


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"", replies.EMPTY_COMMAND),
        (b"FOO", replies.UNKNOWN_COMMAND),
        (b"MAIL\tFROM:<a@b.c>", replies.UNKNOWN_COMMAND),
        (b"NOOP \0", replies.NUL_IN_COMMAND),
        (b"NOOP \xff", replies.NOT_UTF8),
        (b"DATA now", replies.NO_ARGUMENT_ALLOWED),
        (b"RSET x", replies.NO_ARGUMENT_ALLOWED),
        (b"QUIT x", replies.NO_ARGUMENT_ALLOWED),
        (b"STARTTLS x", replies.NO_ARGUMENT_ALLOWED),
        (b"EHLO", replies.HELLO_MALFORMED),
        (b"EHLO a\tb", replies.HELLO_MALFORMED),
        (b"HELO " + b"x" * 256, replies.HELLO_MALFORMED),
        (b"VRFY", replies.ARGUMENT_MISSING),
        (b"EXPN list", replies.NOT_OFFERED),
        (b"ETRN example.org", replies.NOT_OFFERED),
        (b"TURN", replies.NOT_OFFERED),
        (b"SEND FROM:<a@b.c>", replies.NOT_OFFERED),
        (b"XCLIENT ADDR=127.0.0.1", replies.NOT_OFFERED),
        (b"XFORWARD NAME=x", replies.NOT_OFFERED),
        (b"MAIL", replies.MAIL_MALFORMED),
        (b"MAIL TO:<a@b.c>", replies.MAIL_MALFORMED),
        (b"RCPT FROM:<a@b.c>", replies.RCPT_MALFORMED),
        (b"RCPT TO:<>", replies.RECIPIENT_MALFORMED),
    ],
)
def test_malformed_lines(line: bytes, reply: Reply) -> None:
    assert parse(line) == Malformed(reply)


def test_http_is_foreign() -> None:
    assert parse(b"GET / HTTP/1.1") == Foreign()
    assert parse(b"get /") == Foreign()


@pytest.mark.parametrize(
    ("path", "address"),
    [
        (b"<>", ""),
        (b"<ann@example.org>", "ann@example.org"),
        (b"<Ann@EXAMPLE.org>", "Ann@example.org"),
        (b"<@a.example,@b.example:ann@example.org>", "ann@example.org"),
        (b'<"a b"@example.org>', '"a b"@example.org'),
        (b'<"a>b"@example.org>', '"a>b"@example.org'),
        (b'<"a\\"b"@example.org>', '"a\\"b"@example.org'),
        (b'<"plain"@example.org>', "plain@example.org"),
        (b"<ann@[192.0.2.1]>", "ann@[192.0.2.1]"),
        (b"<ann@[IPv6:2001:db8::1]>", "ann@[IPv6:2001:db8::1]"),
        ("<jürgen@bücher.example>".encode(), "jürgen@xn--bcher-kva.example"),
        (b"<" + b"x" * 64 + b"@example.org>", "x" * 64 + "@example.org"),
        (b"<a/b|c!d%e@example.org>", "a/b|c!d%e@example.org"),
    ],
)
def test_paths(path: bytes, address: str) -> None:
    assert sender(b"MAIL FROM:" + path) == address
    assert sender(b"mail from: " + path) == address
    assert sender(b"MAIL FROM:  " + path + b" SIZE=1") == address


@pytest.mark.parametrize(
    "path",
    [
        b"<ann@example.org",
        b"ann@example.org>",
        b"ann@example.org<",
        b"ann@example.org <ann@example.org>",
        b"@a.example:ann@example.org",
        b'"ann@example.org',
        b'"ann\\"@example.org',
        b"postmaster",
        b"SIZE=1",
        b"<ann@example.org>>",
        b"<<ann@example.org>>",
        b"<ann>",
        b"<ann@>",
        b"<@example.org>",
        b'<""@example.org>',
        b"<a..b@example.org>",
        b"<.a@example.org>",
        b"<a.@example.org>",
        b"<a@b@example.org>",
        b"<a b@example.org>",
        b"<a@exa mple.org>",
        b"< ann@example.org>",
        b"<ann@example.org >",
        b"<ann @example.org>",
        b"<(comment)ann@example.org>",
        b"<ann@example..org>",
        b"<ann@-example.org>",
        b"<ann@example.org.>",
        b"<ann@[300.0.2.1]>",
        b"<ann@[IPv6:fe80::1%eth0]>",
        b"<ann@192.0.2.1>",
        b"<a\\b@example.org>",
        b'<"a@example.org>',
        b'<"a"b@example.org>',
        b"<@a.example ann@example.org>",
        b"<@a.example,b.example:ann@example.org>",
        b"<@:ann@example.org>",
        b"<" + b"x" * 65 + b"@example.org>",
        b"<a@" + b"x" * 64 + b".org>",
        b"<a@" + b"x." * 130 + b"org>",
        b"<a\x01b@example.org>",
        b"<a\tb@example.org>",
        b'<"a\x7fb"@example.org>',
        b"<",
        b">",
        b"",
        b"Ann <ann@example.org>",
    ],
)
def test_paths_that_are_none(path: bytes) -> None:
    """RFC 5321 §4.1.2 to the letter: what mail programs forgive, a server need not guess."""
    first = parse(b"MAIL FROM:" + path)
    second = parse(b"RCPT TO:" + path)
    assert isinstance(first, Malformed) and first.reply.code == 501
    assert isinstance(second, Malformed) and second.reply.code == 501


@pytest.mark.parametrize("path", ["ann@example.org", '"a b\\"c>"@example.org', "ann@[192.0.2.1]"])
def test_a_path_without_brackets_is_told_from_one_with_them(path: str) -> None:
    address, octets = Address.parse(path), path.encode()
    sender = Mail(ReversePath(address), MailParameters(size=1, given=("SIZE",)), is_bare=True)
    assert parse(b"MAIL FROM:" + octets + b" SIZE=1") == sender
    assert parse(b"MAIL FROM: <" + octets + b"> SIZE=1") == replace(sender, is_bare=False)
    assert parse(b"RCPT TO: " + octets) == Rcpt(address, is_bare=True)
    assert parse(b"RCPT TO:<" + octets + b">") == Rcpt(address)


def test_postmaster_needs_no_domain() -> None:
    assert recipient(b"RCPT TO:<postmaster>") is None
    assert recipient(b"RCPT TO:<PostMaster>") is None
    assert parse(b"MAIL FROM:<postmaster>") == Malformed(replies.SENDER_MALFORMED)


def test_mail_parameters() -> None:
    command = parse(
        b"MAIL FROM:<a@b.example> size=100 BODY=8bitmime SMTPUTF8 RET=hdrs"
        b" ENVID=QQ314159+2BaB REQUIRETLS"
    )
    assert isinstance(command, Mail)
    given = command.parameters
    assert (given.size, given.body, given.ret) == (100, BodyType.EIGHT_BIT_MIME, Return.HEADERS)
    assert given.smtputf8 and given.require_tls
    assert given.envelope_id == "QQ314159+aB"
    assert given.given == ("SIZE", "BODY", "SMTPUTF8", "RET", "ENVID", "REQUIRETLS")


def test_the_longest_size_is_twenty_digits() -> None:
    command = parse(b"MAIL FROM:<> SIZE=" + b"9" * 20)
    assert isinstance(command, Mail) and command.parameters.size == 10**20 - 1


@pytest.mark.parametrize(
    ("parameters", "reply"),
    [
        (b"SIZE=1", replies.PARAMETERS_MALFORMED),
        (b" =1", replies.PARAMETERS_MALFORMED),
        (b" SIZE=", replies.PARAMETERS_MALFORMED),
        (b" -X=1", replies.PARAMETERS_MALFORMED),
        (b" SI_ZE=1", replies.PARAMETERS_MALFORMED),
        (b" ENVID=a=b", replies.PARAMETERS_MALFORMED),
        (b" SIZE=1 size=2", replies.PARAMETER_TWICE),
        (b" X-Y=1", replies.PARAMETER_UNKNOWN),
        (b" XPRIORITY=3", replies.PARAMETER_UNKNOWN),
        (b" XAUTH=<>", replies.PARAMETER_UNKNOWN),
        (b" NOTIFY=NEVER", replies.PARAMETER_UNKNOWN),
        (b" SIZE", replies.PARAMETER_VALUE_BAD),
        (b" SIZE=-1", replies.PARAMETER_VALUE_BAD),
        (b" SIZE=" + b"9" * 21, replies.PARAMETER_VALUE_BAD),
        (" SIZE=１".encode(), replies.PARAMETER_VALUE_BAD),
        (b" BODY=BINARYMIME", replies.PARAMETER_VALUE_BAD),
        (b" BODY", replies.PARAMETER_VALUE_BAD),
        (b" SMTPUTF8=yes", replies.PARAMETER_VALUE_BAD),
        (b" REQUIRETLS=1", replies.PARAMETER_VALUE_BAD),
        (b" RET=ALL", replies.PARAMETER_VALUE_BAD),
        (b" ENVID", replies.PARAMETER_VALUE_BAD),
        (b" ENVID=+0D+0A", replies.PARAMETER_VALUE_BAD),
        (b" ENVID=+2b", replies.PARAMETER_VALUE_BAD),
        (b" ENVID=" + b"x" * 101, replies.PARAMETER_VALUE_BAD),
        (b" XVERP=", replies.PARAMETERS_MALFORMED),
        (b" XVERP=+==", replies.PARAMETERS_MALFORMED),
        (" XVERP=+＝".encode(), replies.PARAMETERS_MALFORMED),
        (b" XVERP=+\x7f", replies.PARAMETERS_MALFORMED),
        (b" VERP=+=", replies.PARAMETERS_MALFORMED),
        (b" XBOUNCECOUNT=1", replies.PARAMETER_VALUE_BAD),
        (b" XVERP XBOUNCECOUNT", replies.PARAMETER_VALUE_BAD),
        (b" XBOUNCECOUNT XVERP", replies.PARAMETER_VALUE_BAD),
    ],
)
def test_mail_parameters_that_are_refused(parameters: bytes, reply: Reply) -> None:
    assert parse(b"MAIL FROM:<a@b.example>" + parameters) == Malformed(reply)


def test_too_many_parameters() -> None:
    line = b"MAIL FROM:<a@b.example>" + b"".join(b" X%d=1" % n for n in range(21))
    assert parse(line) == Malformed(replies.PARAMETERS_MALFORMED)


@pytest.mark.parametrize(
    ("parameters", "notify", "original"),
    [
        (b"", Notify.UNSAID, None),
        (b" NOTIFY=never", Notify.NEVER, None),
        (b" NOTIFY=SUCCESS,delay", Notify.SUCCESS | Notify.DELAY, None),
        (b" ORCPT=rfc822;Bob+2BX@Example", Notify.UNSAID, ("rfc822", "Bob+X@Example")),
        (b" ORCPT=X400;/c+3Dus", Notify.UNSAID, ("X400", "/c=us")),
        (b" ORCPT=utf-8;j\\x{FC}rgen@x", Notify.UNSAID, ("utf-8", "jürgen@x")),
        (" ORCPT=utf-8;jürgen@x".encode(), Notify.UNSAID, ("utf-8", "jürgen@x")),
    ],
)
def test_rcpt_parameters(
    parameters: bytes, notify: Notify, original: tuple[str, str] | None
) -> None:
    expected = None if original is None else OriginalRecipient(*original)
    address = Address.parse("a@b.example")
    assert parse(b"RCPT TO:<a@b.example>" + parameters) == Rcpt(address, notify, expected)


@pytest.mark.parametrize(
    "parameters",
    [
        b" NOTIFY",
        b" NOTIFY=NEVER,DELAY",
        b" NOTIFY=SUCCESS,",
        b" NOTIFY=SOMETIMES",
        b" ORCPT",
        b" ORCPT=rfc822",
        b" ORCPT=rfc822;",
        b" ORCPT=;a",
        b" ORCPT=rfc822;a+0D+0Ab",
        b" ORCPT=rfc822;a+0",
        b" ORCPT=utf-8;a\\x{0D}",
        b" ORCPT=utf-8;a\\x{D800}",
        b" ORCPT=utf-8;a\\x{110000}",
        b" ORCPT=utf-8;a\\x",
        b" ORCPT=rfc822;" + b"x" * 500,
    ],
)
def test_rcpt_parameters_that_are_refused(parameters: bytes) -> None:
    command = parse(b"RCPT TO:<a@b.example>" + parameters)
    assert command == Malformed(replies.PARAMETER_VALUE_BAD)


def test_xtext() -> None:
    assert xtext_decoded("a+20b+2B") == "a b+"
    assert xtext_decoded("") == ""
    assert xtext_decoded("a+zz") is None
    assert xtext_decoded("a+7F") is None
    assert utf8_address_decoded("a\\x{1F600}") == "a\U0001f600"
    assert utf8_address_decoded("a+b") is None


def test_secrets_do_not_show() -> None:
    assert "secret" not in repr(parse(b"AUTH PLAIN secret"))


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (b" MT-PRIORITY=-9", MailParameters(priority=-9, given=("MT-PRIORITY",))),
        (b" BY=+60;nt", MailParameters(by=By(60, ByMode.NOTIFY, trace=True), given=("BY",))),
        (b" BY=1;R", MailParameters(by=By(1, ByMode.RETURN, trace=False), given=("BY",))),
        (b" AUTH=<>", MailParameters(given=("AUTH",))),
        (b" XVERP", MailParameters(verp=Verp("+="), given=("XVERP",))),
        (b" xverp=--", MailParameters(verp=Verp("--"), given=("XVERP",))),
        (b" XVERP=+=", MailParameters(verp=Verp("+="), given=("XVERP",))),
        (b" XBOUNCECOUNT", MailParameters(verp=Verp(""), given=("XBOUNCECOUNT",))),
    ],
)
def test_parameters_of_submission(parameters: bytes, expected: MailParameters) -> None:
    found = parse(b"MAIL FROM:<a@b.example>" + parameters)
    assert isinstance(found, Mail) and found.parameters == expected
