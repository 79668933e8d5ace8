"""No secret is in any log (K17): canaries through every login, good, bad and broken.

The server runs as a developer would run it (asyncio's debug mode, which writes about what it
calls), writes everything it can write, and every form is looked for in which a secret may
show: as it was typed, in base 64 at any offset, without dashes, quoted.
"""

import base64
import contextlib
import hmac
import time
from collections.abc import Iterator
from hashlib import pbkdf2_hmac, sha256
from typing import Final

import pytest

from tests.e2e.appliance import Appliance, address
from tests.e2e.attacks.log import Watch
from tests.e2e.attacks.raw import PATIENCE_SECONDS, raw
from tests.e2e.mail import send

CANARY: Final = "CanaryOfTheMine"
CARL: Final = address("carl")


def in_base_64(text: str) -> Iterator[str]:
    """The middle of what base 64 makes of it, at each of three offsets."""
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + text.encode()).decode()
        yield encoded[4:-4]


def plain(user: str, password: str) -> bytes:
    return base64.b64encode(b"\0" + user.encode() + b"\0" + password.encode())


def bearer(login: str, token: str) -> str:
    return base64.b64encode(f"n,a={login},\1auth=Bearer {token}\1\1".encode()).decode()


@pytest.fixture(scope="module")
def watched(appliance: Appliance) -> Iterator[Appliance]:
    """Restarted in debug mode, with a log of its own; at the end nothing is in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONASYNCIODEBUG", "1")
        assert appliance.stop() == 0
        appliance.start()
    appliance.verb("account", "add", CARL, stdin=f"{CANARY} right\n")
    yield appliance
    # Stopping in order would wait for the denials that are still to be told.
    appliance.kill()
    appliance.start()


@pytest.fixture(autouse=True)
def unsaid(watched: Appliance) -> Iterator[list[str]]:
    """Further secrets of a test; after it none is in the log."""
    secrets = [CANARY, *in_base_64(CANARY)]
    watch = Watch(watched)
    yield secrets
    log = watch.text()
    assert len(log) > 300
    assert [secret for secret in secrets if secret in log] == []


def test_logins(watched: Appliance) -> None:
    """Right and wrong; people type their password where their name belongs, too.

    Denials are told late, and the log has them at once: nobody waits for the replies.
    """
    watch = Watch(watched)
    attempts = 0
    with contextlib.ExitStack() as held:
        for user in (CARL, "carl", CANARY, f"{CANARY}@example.test"):
            for password in (f"{CANARY} right", f"{CANARY} wrong"):
                blob = plain(user, password)
                announced = f"a LOGIN {user} {{{len(password)}}}\r\n"
                for service, before, then in (
                    ("imaps", b"", f'a LOGIN "{user}" "{password}"\r\n'.encode()),
                    ("imaps", announced.encode(), password.encode()),
                    ("imaps", b"", b"a AUTHENTICATE PLAIN " + blob),
                    ("pop3s", f"USER {user}\r\n".encode(), f"PASS {password}".encode()),
                    ("pop3s", b"AUTH PLAIN\r\n", blob),
                ):
                    one = held.enter_context(raw(watched, service))
                    if before:
                        one.send(before)
                        assert one.line()[:1] == b"+"
                    one.send(then + b"\r\n")
                    attempts += 1
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            seen = watch.names_so_far()
            if sum(event.startswith("auth.") for event in seen) == attempts:
                break
            assert time.monotonic() < until
            time.sleep(0.02)
    assert {"auth.granted", "auth.denied"} <= set(seen)


def test_scram(watched: Appliance) -> None:
    """Neither the proof nor what it is made from; an observer of both could guess on."""
    with raw(watched, "imaps") as one:
        bare = f"n={CARL},r={CANARY}nonce"
        one.send(b"a AUTHENTICATE SCRAM-SHA-256\r\n")
        one.line()
        one.send(base64.b64encode(b"n,," + bare.encode()) + b"\r\n")
        first = base64.b64decode(one.line().removeprefix(b"+ ")).decode()
        fields = dict(part.split("=", 1) for part in first.split(","))
        salted = pbkdf2_hmac(
            "sha256",
            f"{CANARY} right".encode(),
            base64.b64decode(fields["s"]),
            int(fields["i"]),
        )
        final = f"c=biws,r={fields['r']}"
        key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(sha256(key).digest(), f"{bare},{first},{final}".encode(), "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        message = f"{final},p={base64.b64encode(proof).decode()}"
        one.send(base64.b64encode(message.encode()) + b"\r\n")
        assert one.line().startswith(b"+ ")
        one.send(b"\r\n")
        assert b"a OK" in one.until(b"a ")


def test_app_passwords(watched: Appliance, unsaid: list[str]) -> None:
    token = watched.verb("token", "add", CARL).stdout.decode().strip()
    unsaid += [token, token.replace("-", ""), token.upper(), *in_base_64(token)]
    for service, login in (
        ("imaps", f'a LOGIN {CARL} "{token}"\r\n'),
        ("imaps", f'a LOGIN {CARL} "{token.upper()}"\r\n'),
        ("pop3s", f"USER {CARL}\r\nPASS {token}\r\n"),
        ("pop3s", f"USER {address('ann')}\r\nPASS {token}\r\n"),
    ):
        with raw(watched, service) as one:
            one.send(login.encode())
            assert one.line()
            if service == "pop3s":
                assert one.line()
            else:
                one.send(b"b NOOP\r\n")
                one.until(b"b ")


def test_verbs(watched: Appliance) -> None:
    watched.verb("account", "add", CARL, stdin=f"{CANARY} 4\n", check=False)


@pytest.mark.parametrize(
    ("service", "lines"),
    [
        # Before TLS: refused before anybody looks at it.
        ("imap", (f"a LOGIN {CARL} {CANARY}",)),
        ("imap", ("a AUTHENTICATE PLAIN " + plain(CARL, CANARY).decode(),)),
        ("pop3", (f"USER {CARL}", f"PASS {CANARY}")),
        ("pop3", ("AUTH PLAIN " + plain(CARL, CANARY).decode(),)),
        ("pop3", (f"APOP {CARL} {CANARY}",)),
        # Where no login is offered at all.
        ("smtp", ("EHLO c", "AUTH PLAIN " + plain(CARL, CANARY).decode())),
        ("smtp", ("AUTH LOGIN", *(base64.b64encode(x.encode()).decode() for x in (CARL, CANARY)))),
        ("smtp_tls", ("EHLO c", "AUTH PLAIN", plain(CARL, CANARY).decode())),
        ("lmtp", (f"AUTH PLAIN {CANARY}", CANARY)),
        ("submission", ("EHLO c", "AUTH PLAIN " + plain(CARL, CANARY).decode(), CANARY)),
        ("submissions", ("EHLO c", "AUTH PLAIN " + plain(CARL, CANARY).decode(), CANARY)),
        ("submissions", ("EHLO c", "AUTH PLAIN", "=" + CANARY, "AUTH PLAIN", CANARY * 2000)),
        ("submissions", ("EHLO c", f"AUTH {CANARY}", f"AUTH PLAIN {CANARY} {CANARY}", CANARY)),
        ("submissions", ("EHLO c", "AUTH OAUTHBEARER " + bearer(CARL, CANARY), "AQ==")),
        # Mistyped, broken, too long, too much.
        ("imaps", (f"a LOGON {CARL} {CANARY}", f"LOGIN {CARL} {CANARY}", CANARY)),
        ("imaps", (f"a LOGIN {CARL} {CANARY} {CANARY}", f"a LOGIN {CANARY}")),
        ("imaps", (f"a LOGIN {CARL} \0{CANARY}", f'a LOGIN {CARL} "{CANARY}')),
        ("imaps", (f"a LOGIN {CARL} " + CANARY * 1000,)),
        ("imaps", ("a AUTHENTICATE PLAIN", CANARY, "b AUTHENTICATE PLAIN", "=" + CANARY)),
        ("imaps", (f"a AUTHENTICATE {CANARY}", f"b AUTHENTICATE PLAIN {CANARY * 2000}")),
        ("imaps", (f"a AUTHENTICATE XOAUTH2 {CANARY}", f"b ENABLE {CANARY}")),
        ("imaps", ("a AUTHENTICATE OAUTHBEARER " + bearer(CARL, CANARY), "AQ==")),
        ("pop3s", ("AUTH OAUTHBEARER", bearer(CANARY, CANARY), CANARY)),
        ("pop3s", (f"PASS {CANARY}", f"PASSWORD {CANARY}", f"USER {CANARY}", CANARY)),
        ("pop3s", (f"USER {CARL}", "PASS " + CANARY * 2000)),
        ("pop3s", (f"USER {CARL}", f"PASS \0{CANARY}", f"AUTH {CANARY}")),
        ("pop3s", ("AUTH PLAIN", CANARY * 3, "AUTH SCRAM-SHA-256", CANARY)),
        ("pop3s", ("AUTH PLAIN", "*", f"AUTH PLAIN ={CANARY}")),
    ],
)
def test_lines_that_go_wrong(watched: Appliance, service: str, lines: tuple[str, ...]) -> None:
    with raw(watched, service) as one:
        for line in lines:
            one.send(line.encode("latin-1") + b"\r\n")
        one.send(b"z NOOP\r\n" if service.startswith("imap") else b"NOOP\r\n")
        one.line()


@pytest.mark.parametrize("octets", [b"\xff", b"\xc3\x28", b"\xed\xa0\x80", "\u202e\u0000".encode()])
def test_passwords_that_are_no_text(watched: Appliance, octets: bytes) -> None:
    """What an error says of text that cannot be converted often quotes it."""
    password = CANARY.encode() + octets
    with raw(watched, "imaps") as one:
        one.send(b"a LOGIN %s {%d}\r\n" % (CARL.encode(), len(password)))
        one.line()
        one.send(password + b"\r\n")
        one.line()
    with raw(watched, "imaps") as one:
        blob = base64.b64encode(b"\0" + CARL.encode() + b"\0" + password)
        one.send(b"a AUTHENTICATE PLAIN " + blob + b"\r\n")
        one.line()
    with raw(watched, "pop3s") as one:
        one.send(b"USER " + CARL.encode() + b"\r\nPASS " + password + b"\r\n")
        one.line()


def test_who_hangs_up_in_the_middle(watched: Appliance) -> None:
    for service, octets in (
        ("imaps", f'a LOGIN {CARL} "{CANARY}'.encode()),
        ("imaps", f"a LOGIN {CARL} {{100}}\r\n{CANARY}".encode()),
        ("pop3s", f"USER {CARL}\r\nPASS {CANARY}".encode()),
        ("imaps", b"a AUTHENTICATE PLAIN\r\n" + plain(CARL, CANARY)),
    ):
        with raw(watched, service) as one:
            one.send(octets)


def test_mail(watched: Appliance) -> None:
    """Nor anything of what people write to each other."""
    message = f"Subject: {CANARY} 6\r\nX-{CANARY}: 7\r\n\r\n{CANARY} 8\r\n".encode()
    send(watched, message, [CARL])
    with raw(watched, "imaps") as one:
        one.send(
            f'a LOGIN {CARL} "{CANARY} right"\r\nb SELECT INBOX\r\n'
            f'c SEARCH TEXT "{CANARY}"\r\nd CREATE "{CANARY}"\r\ne DELETE "{CANARY}"\r\n'
            f"f STORE 1 +FLAGS ({CANARY})\r\n"
            f"g FETCH 1 BODY[HEADER.FIELDS (X-{CANARY})]\r\n".encode()
        )
        one.until(b"g ")
