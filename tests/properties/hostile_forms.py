"""Hostile messages and lines of any size: each form is a function of how often it repeats."""

from collections.abc import Callable, Mapping
from typing import Final

Form = Callable[[int], bytes]


def _nested(count: int) -> bytes:
    heads = [
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(count)
    ]
    return b"".join(heads) + b"\r\ninnermost"


def _one_boundary(count: int) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * count + b"\r\ninnermost"


def _in_multipart(body: bytes) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + body


def _parts(count: int) -> bytes:
    return _in_multipart(b"--b\r\nContent-Type: text/plain; name=x\r\n\r\nx\r\n" * count)


def _prefixes(count: int) -> bytes:
    """Each line begins like the boundary of every multipart, and is none."""
    heads = b"".join(
        b"Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n" % (b"b" * n, b"b" * n)
        for n in range(1, 40)
    )
    return heads + b"\r\n" + (b"--" + b"b" * 60 + b"\r\n") * count


def _html(markup: bytes) -> bytes:
    return b"Content-Type: text/html; charset=utf-8\r\n\r\n" + markup


def _text(head: bytes, body: bytes) -> bytes:
    return b"Content-Type: text/plain" + head + b"\r\n\r\n" + body


def _encoded(encoding: bytes, body: bytes) -> bytes:
    return _text(b"\r\nContent-Transfer-Encoding: " + encoding, body)


def _embedded_parts(count: int) -> bytes:
    part = b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\nTo: a@b\r\n\r\nx\r\n"
    return _in_multipart(part * count)


def _charsets(count: int) -> bytes:
    labels = (
        b"utf-7",
        b"hz",
        b"iso-2022-kr",
        b"utf-16",
        b"johab",
        b"x-none",
        b"us-ascii",
        b"gb18030",
    )
    return _in_multipart(
        b"".join(
            b"--b\r\nContent-Type: text/plain; charset=%s\r\n\r\n" % labels[n % len(labels)]
            + b"\xff+\xe9~\x1b$)C\x0e\xd8\x00\xdc" * 3
            + b"\r\n"
            for n in range(count)
        )
    )


MESSAGES: Final[Mapping[str, Form]] = {
    "header fields": lambda n: b"X-A: b\r\n" * n + b"\r\nx",
    "fields of one name": lambda n: b"To: ann@b.example\r\n" * n + b"\r\nx",
    "fields that are listed": lambda n: (
        b"".join(b"Subject: %d\r\n" % i for i in range(n)) + b"\r\n"
    ),
    "Content-* fields": lambda n: b"".join(b"Content-X%d: y\r\n" % i for i in range(n)) + b"\r\nx",
    "lines that are no fields": lambda n: b"nothing here\n" * n,
    "folds of one field": lambda n: b"Subject: x" + b"\r\n y" * n + b"\r\n\r\nx",
    "folds of a Content-Type": lambda n: (
        b"Content-Type: text/plain" + b"\r\n ;a=b" * n + b"\r\n\r\nx"
    ),
    "parameters": lambda n: (
        b"Content-Type: a/b" + b"".join(b"; n%d=x" % i for i in range(n)) + b"\n\n"
    ),
    "segments of a parameter": lambda n: (
        b"Content-Type: a/b" + b"".join(b"; n*%d*=%%20" % i for i in range(n)) + b"\n\n"
    ),
    "comments in a Content-Type": lambda n: b"Content-Type: " + b"(" * n + b")" * n + b" a/b\n\n",
    "comments never closed": lambda n: (
        b"Content-Type: " + b"(;" * n + b"\nFrom: " + b"(" * n + b"\n\n"
    ),
    "quoted pairs": lambda n: (
        b'Content-Type: a/b; n="' + b"\\\\" * n + b'"\nTo: "' + b'\\"' * n + b"\n\n"
    ),
    "nested multiparts": _nested,
    "multiparts with one boundary": _one_boundary,
    "nested messages": lambda n: (
        b"Content-Type: message/rfc822\r\n\r\n" * n + b"Subject: x\r\n\r\nx"
    ),
    "nested digests": lambda n: (
        b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n" * n
    ),
    "parts": _parts,
    "parts that are messages": _embedded_parts,
    "empty parts": lambda n: _in_multipart(b"--b\r\n" * n),
    "closed boundaries": lambda n: _in_multipart(b"--b--\r\n" * n),
    "lines that look like boundaries": lambda n: _in_multipart(b"--\r\n--bb\r\n--b-\r\n" * n),
    "boundaries that begin others": _prefixes,
    "no line ends": lambda n: b"x" * n,
    "no line ends in a body": lambda n: b"Subject: x\r\n\r\n" + b"x" * n,
    "CR alone": lambda n: b"Subject: x\r\n\r\n" + b"\r" * n,
    "CR in a header": lambda n: b"Subject: x" + b"\rA: b" * n,
    "LF alone": lambda n: b"x\n" + b"\n" * n,
    "blank lines": lambda n: b"\r\n" * n,
    "NULs": lambda n: b"Subject: " + b"\0" * n + b"\r\n\r\n" + b"\0" * n,
    "8-bit octets": lambda n: b"Subject: " + b"\xe9\xff" * n + b"\r\n\r\n" + b"\xe9\xff" * n,
    "addresses": lambda n: b"To: " + b"Ann <a@b.example>, " * n + b"\r\n\r\n",
    "unusual addresses": lambda n: b"To: " + b'"a" b <@r,@s:c@d> (e), ' * n + b"\r\n\r\n",
    "commas": lambda n: b"To: " + b"," * n + b"\r\n\r\n",
    "at signs": lambda n: b"To: " + b"@" * n + b"\r\nCc: <" + b"a@" * n + b"\r\n\r\n",
    "brackets of addresses": lambda n: (
        b"To: " + b"<" * n + b"\r\nCc: " + b"a <b> " * n + b"\r\n\r\n"
    ),
    "words of an address": lambda n: b"To: " + b"a " * n + b"\r\nCc: " + b"a. " * n + b"\r\n\r\n",
    "groups": lambda n: b"To: " + b"g: a@b, c@d; " * n + b"\r\nCc: " + b"g:" * n + b"\r\n\r\n",
    "quotes never closed": lambda n: (
        b"To: " + b'a "b ' * n + b'"\r\nSubject: ' + b'"' * n + b"\r\n\r\n"
    ),
    "encoded words": lambda n: b"Subject: " + b"=?utf-8?q?=C3=A9?= " * n + b"\r\n\r\n",
    "words of many charsets": lambda n: (
        b"Subject: " + b"=?utf-8?q?a?= =?utf-7?q?+AGE-?= =?x?b?//8?= " * n + b"\r\n\r\n"
    ),
    "beginnings of encoded words": lambda n: (
        b"Subject: " + b"=?" * n + b"=?utf-8?q?" * n + b"\r\n\r\n"
    ),
    "base64 of one word": lambda n: b"Subject: =?utf-8?b?" + b"w6k" * n + b"?=\r\n\r\n",
    "tags of a subject": lambda n: (
        b"Subject: " + b"[a] " * n + b"Re: " * n + b"(fwd)" * n + b"\r\n\r\n"
    ),
    "forwards in forwards": lambda n: b"Subject: " + b"[fwd: " * n + b"]" * n + b"\r\n\r\n",
    "references": lambda n: (
        b"References: " + b"<a@b> <c" * n + b"\r\nIn-Reply-To: " + b"<" * n + b"\r\n\r\n"
    ),
    "parentheses in a date": lambda n: b"Date: " + b"(" * n + b")" * n + b" 1 Jan 2026\r\n\r\n",
    "spaces in a date": lambda n: b"Date: Thu" + b" " * n + b"1 Jan 2026\r\n\r\n",
    "base64": lambda n: _encoded(b"base64", b"QUJD\r\n" * n),
    "base64 without line ends": lambda n: _encoded(b"base64", b"QUJD" * n),
    "padding of base64": lambda n: _encoded(b"base64", b"QQ==" * n),
    "quoted-printable": lambda n: _encoded(b"quoted-printable", b"=C3=A9=\r\n" * n),
    "quoted-printable without line ends": lambda n: _encoded(b"quoted-printable", b"=" * n),
    "spaces before line ends": lambda n: _encoded(
        b"quoted-printable", b" \t" * n + b"\r\n" + b" \r\n" * n
    ),
    "spaces inside lines": lambda n: _encoded(b"quoted-printable", b"\tx" + b" " * n + b"x"),
    "parts in odd charsets": _charsets,
    "combining marks": lambda n: _text(b"; charset=utf-8", b"a" + b"\xcc\x81\xcc\xa3" * n),
    "letters that grow": lambda n: _text(b"; charset=utf-8", b"\xef\xb7\xba" * n),
    "UTF-7": lambda n: _text(b"; charset=utf-7", b"+AGE" * n),
    "escapes of ISO-2022": lambda n: _text(b"; charset=iso-2022-jp", b"\x1b$B\x1b(B\x1b" * n),
    "quoted lines": lambda n: _text(b"", b"> x\r\n" * n),
    "spaces of many kinds": lambda n: _text(b"; charset=utf-8", b" \t\xc2\xa0\xe2\x80\x83\r\n" * n),
    "nested elements": lambda n: _html(b"<div><b>" * n),
    "elements that never open": lambda n: _html(b"</div></x>" * n),
    "attributes": lambda n: _html(b"<p " + b"a=b " * n + b">x"),
    "tags never closed": lambda n: _html(b"<a " * n),
    "angle brackets": lambda n: _html(b"<" * n + b">" * n),
    "comments of HTML": lambda n: _html(b"<!--" * n + b"-->" + b"<!-- x -->" * n),
    "quotes in tags": lambda n: _html(b'<a b="' * n + b"<c d='" * n),
    "character references": lambda n: _html(b"&" * n + b"&amp" * n + b"&#99999999999;" * n),
    "scripts": lambda n: _html(b"<script>x</script><style>y" * n + b"<script" * n),
    "tables": lambda n: _html(b"<table><tr><td>x" * n),
}
"""By name; the count is about the number of things, not of octets."""


def _words(word: bytes, count: int) -> bytes:
    return b" ".join([word] * count)


IMAP_COMMANDS: Final[Mapping[str, Form]] = {
    "numbers": lambda n: b"FETCH " + b",".join(b"%d" % i for i in range(1, n + 1)) + b" FLAGS",
    "ranges": lambda n: b"FETCH " + b"1:*," * n + b"* FLAGS",
    "a set that breaks off": lambda n: b"FETCH " + b"1," * n + b"x FLAGS",
    "items": lambda n: (
        b"FETCH 1 (" + b"".join(b"BODY[%d] " % i for i in range(1, n + 1)) + b"FLAGS)"
    ),
    "fields": lambda n: b"FETCH 1 BODY[HEADER.FIELDS (" + _words(b"Subject", n) + b")]",
    "part numbers": lambda n: b"FETCH 1 BODY[" + b"1." * n + b"MIME]",
    "keys": lambda n: b"SEARCH " + _words(b"SEEN", n),
    "parentheses": lambda n: b"SEARCH " + b"(" * n + b"ALL" + b")" * n,
    "NOT": lambda n: b"SEARCH " + b"NOT " * n + b"SEEN",
    "OR": lambda n: b"SEARCH " + b"OR ALL " * n + b"SEEN",
    "a long needle": lambda n: b"SEARCH BODY " + b"x" * n,
    "escapes": lambda n: b'SEARCH BODY "' + b"\\\\" * n + b'"',
    "a quote never closed": lambda n: b'SEARCH BODY "' + b"\\\\" * n,
    "flags": lambda n: b"STORE 1 FLAGS (" + b" ".join(b"k%d" % i for i in range(n)) + b")",
    "one flag": lambda n: b"STORE 1 FLAGS (" + _words(b"\\Seen", n) + b")",
    "patterns": lambda n: b'LIST "" (' + _words(b"*a%", n) + b")",
    "wildcards": lambda n: b'LIST "" ' + b"*%" * n,
    "ampersands": lambda n: b"CREATE " + b"&" * n,
    "shifts": lambda n: b"CREATE " + b"&APw-x" * n,
    "half shifts": lambda n: b"CREATE " + b"&APw" * n + b"-",
    "levels": lambda n: b"CREATE " + b"a/" * n,
    "a name in eight bits": lambda n: b"CREATE " + "é".encode() * n,
    "spaces": lambda n: b"NOOP" + b" " * n,
    "spaces between": lambda n: b"SEARCH" + b" " * n + b"ALL" + b" " * n,
    "unknown": lambda n: b"X" * n,
    "capabilities": lambda n: b"ENABLE " + _words(b"X", n),
    "pairs of ID": lambda n: b"ID (" + _words(b'"a" NIL', n) + b")",
    "braces": lambda n: b"LOGIN " + b"{" * n,
    "digits": lambda n: b"FETCH " + b"9" * n + b" FLAGS",
    "a size of many digits": lambda n: b"LOGIN {" + b"9" * n + b"}",
    "criteria of SORT": lambda n: b"SORT (" + _words(b"REVERSE DATE", n) + b") UTF-8 ALL",
    "results of SEARCH": lambda n: b"SEARCH RETURN (" + _words(b"COUNT", n) + b") ALL",
    "keys of THREAD": lambda n: b"THREAD REFERENCES UTF-8 " + b"OR ALL " * n + b"ALL",
    "uses of a mailbox": lambda n: b"CREATE x (USE (" + _words(b"\\Sent", n) + b"))",
}

SMTP_LINES: Final[Mapping[str, Form]] = {
    "a local part": lambda n: b"MAIL FROM:<" + b"a" * n + b"@b.example>",
    "dots": lambda n: b"MAIL FROM:<" + b"a." * n + b"a@b.example>",
    "labels": lambda n: b"RCPT TO:<a@" + b"b." * n + b"example>",
    "labels in eight bits": lambda n: b"RCPT TO:<a@" + "é.".encode() * n + b"example>",
    "A-labels": lambda n: b"RCPT TO:<a@" + b"xn--9ca." * n + b"example>",
    "at signs": lambda n: b"RCPT TO:<" + b"@" * n + b">",
    "a route": lambda n: b"RCPT TO:<" + b"@r.example," * n + b"@s.example:a@b.example>",
    "quoted pairs": lambda n: b'RCPT TO:<"' + b"\\a" * n + b'"@b.example>',
    "quotes": lambda n: b"RCPT TO:<" + b'"' * n + b"@b.example>",
    "brackets": lambda n: b"RCPT TO:" + b"<" * n + b">" * n,
    "colons of an address": lambda n: b"RCPT TO:<a@[IPv6:" + b"1:" * n + b"]>",
    "parameters": lambda n: b"MAIL FROM:<>" + b"".join(b" X%d=y" % i for i in range(n)),
    "spaces": lambda n: b"MAIL FROM:" + b" " * n + b"<>" + b" " * n,
    "xtext": lambda n: b"MAIL FROM:<> ENVID=" + b"+2B" * n,
    "an original recipient": lambda n: b"RCPT TO:<a@b.example> ORCPT=utf-8;" + b"\\x{41}" * n,
    "digits": lambda n: b"BDAT " + b"9" * n,
    "a hello": lambda n: b"EHLO " + b"a." * n,
}

CONTENTS: Final[Mapping[str, Form]] = {
    "dots": lambda n: b".\r\n" * n,
    "stuffed dots": lambda n: b"..\r\n" * n,
    "line ends": lambda n: b"\r\n" * n,
    "bare LF": lambda n: b"\n" * n,
    "bare CR": lambda n: b"\r" * n,
    "almost the end": lambda n: b"\r\n.\r" * n,
    "one line": lambda n: b"x" * n,
}
