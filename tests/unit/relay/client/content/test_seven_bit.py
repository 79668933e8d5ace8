"""What is turned into ASCII, and that it says the same afterwards."""

import email
import email.policy
from dataclasses import dataclass
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.model.errors import ContentDamaged
from mailbox_server.relay.client.content.seven_bit import converted, plan_conversion
from mailbox_server.relay.client.content.survey import Survey, survey

EIGHT = "Grüße".encode()


@dataclass
class Octets:
    octets: bytes
    missing: int = 0

    async def read(self, start: int, length: int) -> bytes:
        return self.octets[: len(self.octets) - self.missing][start : start + length]


async def looked_at(octets: bytes) -> Survey:
    return await survey(Octets(octets), len(octets))


async def in_seven_bits(octets: bytes) -> bytes | None:
    content = Octets(octets)
    plan = await plan_conversion(await survey(content, len(octets)), content)
    if plan is None:
        return None
    return b"".join([piece async for piece in converted(content, plan)])


def bodies(octets: bytes) -> list[bytes]:
    """The decoded bodies of all parts that have one."""
    message = email.message_from_bytes(octets, policy=email.policy.SMTP)
    assert isinstance(message, EmailMessage)
    found = []
    for part in message.walk():
        decoded = part.get_payload(decode=True)
        if isinstance(decoded, bytes):
            found.append(decoded)
    return found


TEXT = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
MULTIPART = (
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\nbefore\r\n"
    b"--x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    b"X: y\r\n\r\n" + EIGHT + b" = \r\nsecond \t\r\n\r\n"
    b"--x\r\n\r\nplain\r\n"
    b"--x\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding:\r\n 8bit\r\n\r\n"
    + EIGHT
    * 50
    + b"\r\n--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>" + EIGHT + b"</p>\r\n"
    b"--x--\r\nafter\r\n"
)


async def test_parts_are_encoded_and_say_the_same() -> None:
    sent = await in_seven_bits(MULTIPART)
    assert sent is not None and sent.isascii()
    assert bodies(sent) == bodies(MULTIPART)
    assert b"X: y\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC" in sent
    assert b"application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" in sent
    assert b"--x\r\n\r\nplain\r\n--x\r\n" in sent
    assert max(map(len, sent.split(b"\r\n"))) <= 78


async def test_what_mime_asks_for_is_added() -> None:
    sent = await in_seven_bits(b"Subject: old\r\n\r\n" + EIGHT + b"\r\n")
    assert sent == (
        b"Subject: old\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n"
        b"Content-Type: text/plain; charset=unknown-8bit\r\n\r\nGr=C3=BC=C3=9Fe\r\n"
    )


@pytest.mark.parametrize(
    "octets",
    [
        "Subject: Grüße\r\n\r\nbody\r\n".encode(),
        MULTIPART.replace(b"before", EIGHT),
        MULTIPART.replace(b"after", EIGHT),
        MULTIPART.replace(b"multipart/mixed", b"multipart/signed"),
        MULTIPART.replace(b"multipart/mixed", b"multipart/encrypted"),
        MULTIPART.replace(b"boundary=x", b"boundary=nowhere"),
        MULTIPART.replace(b"Content-Transfer-Encoding: 8bit", b"Content-Transfer-Encoding: base64"),
        MULTIPART.replace(b"application/pdf", b"message/external-body"),
        TEXT + b"X: " + b"x" * 70_000 + b"\r\n\r\n" + EIGHT,
    ],
)
async def test_what_must_not_be_touched_goes_back(octets: bytes) -> None:
    assert await in_seven_bits(octets) is None


async def test_where_it_is() -> None:
    assert (await looked_at(b"Subject: x\r\n\r\nplain\r\n")).is_ascii
    assert (await looked_at(b"")).is_ascii
    found = await looked_at(MULTIPART)
    assert not found.headers and not found.elsewhere and len(found.leaves) == 3
    assert (await looked_at("Subject: ü\r\n\r\nx".encode())).headers
    assert (await looked_at(MULTIPART.replace(b"after", EIGHT))).elsewhere
    inner = MULTIPART.replace(b"Subject: inner", b"Subject: " + EIGHT)
    assert (await looked_at(inner)).headers


async def test_content_that_is_shorter_than_said() -> None:
    with pytest.raises(ContentDamaged):
        await survey(Octets(MULTIPART, missing=5), len(MULTIPART))


LINES = st.lists(
    st.sampled_from(
        [b"a", b" ", b"\t", b"=", b".", b"\r\n", "ü".encode(), b"\xff", b"x" * 75, b"From "]
    ),
    max_size=40,
).map(b"".join)


@given(LINES, st.sampled_from([1, 2, 300]))
async def test_any_text_comes_back(body: bytes, times: int) -> None:
    octets = TEXT + b"\r\n" + EIGHT + body * times
    sent = await in_seven_bits(octets)
    assert sent is not None and sent.isascii()
    assert max(map(len, sent.split(b"\r\n"))) <= 78
    assert bodies(sent) == bodies(octets)


@pytest.mark.parametrize("length", [65_535, 65_536, 65_537, 200_000])
@pytest.mark.parametrize("end", [b"", b" ", b"\r\n", b" \r\n"])
async def test_long_lines_are_cut_and_joined_again(length: int, end: bytes) -> None:
    for filler in (b"x", b" ", EIGHT):
        octets = TEXT + b"\r\n" + EIGHT + (filler * length)[:length] + end
        sent = await in_seven_bits(octets)
        assert sent is not None and sent.isascii()
        assert bodies(sent) == bodies(octets)
