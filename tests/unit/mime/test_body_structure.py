"""BODY and BODYSTRUCTURE of small messages, written out."""

from mailbox_server.mime.body_structure import body_structure
from mailbox_server.mime.scanner import scan


def both(content: bytes) -> tuple[bytes, bytes]:
    return body_structure(scan(content)[0])


def test_plain_text() -> None:
    body, extended = both(b"Subject: x\r\n\r\nHello\r\n")
    plain = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1'
    assert body == plain + b")"
    assert extended == plain + b" NIL NIL NIL NIL)"


def test_all_fields_of_a_part() -> None:
    body, extended = both(
        b'Content-Type: IMAGE/Png; Name="a\\"b"\r\nContent-ID: <1@x>\r\n'
        b"Content-Description: a\r\n picture\r\nContent-Transfer-Encoding: BASE64\r\n"
        b"Content-MD5: abc==\r\nContent-Disposition: Attachment; filename=x.png; size=3\r\n"
        b"Content-Language: en, de\r\nContent-Location: http://x/\r\n\r\nQUJD"
    )
    fields = b'("image" "png" ("name" "a\\"b") "<1@x>" "a picture" "base64" 4'
    assert body == fields + b")"
    assert extended == fields + (
        b' "abc==" ("attachment" ("filename" "x.png" "size" "3")) ("en" "de") "http://x/")'
    )


def test_multipart_and_embedded_message() -> None:
    inner = b"Subject: in\r\n\r\nx\r\ny"
    content = (
        b"Content-Type: multipart/mixed; boundary=b\r\nContent-Language: en\r\n\r\n"
        b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--b--\r\n"
    )
    envelope = b'(NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL)'
    message = b'("message" "rfc822" NIL NIL NIL "7bit" 19 ' + envelope
    text = b' ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 1'
    body, extended = both(content)
    assert body == b"(" + message + text + b') 3) "mixed")'
    assert extended == (
        b"(" + message + text + b" NIL NIL NIL NIL) 3 NIL NIL NIL NIL)"
        b' "mixed" ("boundary" "b") NIL ("en") NIL)'
    )


def test_continued_parameters_are_joined_and_stay_encoded() -> None:
    _, extended = both(
        b"Content-Disposition: attachment; filename*0*=utf-8''a%20; filename*1=\"b c\"\r\n\r\n"
    )
    assert b'("filename*" "utf-8\'\'a%20b%20c")' in extended
