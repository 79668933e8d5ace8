"""TLS as it should be, and logins that give nothing away (rows T4, T6, T7, A3, A6, A10)."""

import base64
import contextlib
import socket
import ssl
import subprocess
import warnings

import pytest

from tests.e2e.appliance import PASSWORDS, Appliance, address
from tests.e2e.attacks.raw import GREETINGS, IMPLICIT_TLS, Raw, connect, raw
from tests.e2e.mail import fetch_all, trust
from tests.e2e.peers.programs import need

ANN = address("ann")


def plain(user: str, password: str) -> bytes:
    return base64.b64encode(f"\0{user}\0{password}".encode())


# ---------------------------------------------------------------- T4: before TLS


@pytest.mark.parametrize(
    ("service", "lines", "answer"),
    [
        ("imap", (f"a LOGIN {ANN} x",), b"a NO [PRIVACYREQUIRED]"),
        ("imap", ("a AUTHENTICATE PLAIN " + plain(ANN, "x").decode(),), b"a NO [PRIVACYREQUIRED]"),
        ("pop3", (f"USER {ANN}",), b"-ERR give STLS first"),
        ("pop3", ("PASS x",), b"-ERR give STLS first"),
        ("pop3", ("AUTH PLAIN " + plain(ANN, "x").decode(),), b"-ERR give STLS first"),
        ("pop3", (f"APOP {ANN} x",), b"-ERR APOP is not offered"),
        ("smtp", ("EHLO c", "AUTH PLAIN " + plain(ANN, "x").decode()), b"502 5.5.1 Logging in"),
    ],
)
def test_no_login_in_plain_text(
    appliance: Appliance, service: str, lines: tuple[str, ...], answer: bytes
) -> None:
    """RFC 8314 §4.1, RFC 9051 §6.2.3: the right password is refused like any other, and unread."""
    right = PASSWORDS["ann"]
    for password in ("x", right):
        with raw(appliance, service) as one:
            for line in lines:
                changed = line.replace(plain(ANN, "x").decode(), plain(ANN, password).decode())
                one.send(changed.encode() + b"\r\n")
            one.end_sending()
            said = one.rest()
        assert said.splitlines()[-1].startswith(answer), said
    assert b"AUTH=" not in said


def test_logins_are_not_offered_in_plain_text(appliance: Appliance) -> None:
    with raw(appliance, "imap") as one:
        one.send(b"a CAPABILITY\r\n")
        said = one.until(b"a ")
        assert b"LOGINDISABLED" in said and b"STARTTLS" in said and b"AUTH=PLAIN" not in said
    with raw(appliance, "pop3") as one:
        one.send(b"CAPA\r\n")
        said = one.until(b".\r\n")
        assert b"STLS" in said.splitlines() and b"USER" not in said.splitlines()
        assert b"PLAIN" not in said


# ---------------------------------------------------------------- T6: versions and names


@pytest.mark.parametrize("service", IMPLICIT_TLS)
def test_nobody_shakes_hands_twice(appliance: Appliance, service: str) -> None:
    """TLS 1.2 would let a client have the server begin anew, over and over."""
    program = need("openssl")
    server = f"127.0.0.1:{appliance.ports[service]}"
    done = subprocess.run(
        (program, "s_client", "-connect", server, "-tls1_2", "-crlf"),
        input=b"R\n",
        capture_output=True,
        timeout=60,
    )
    assert b"RENEGOTIATING" in done.stdout + done.stderr
    assert b"no renegotiation" in done.stdout + done.stderr
    one = connect(appliance, service)
    assert one.line().startswith(GREETINGS[service])
    one.close()


@pytest.mark.parametrize("service", IMPLICIT_TLS)
@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_old_versions_are_refused(appliance: Appliance, service: str, version: str) -> None:
    context = trust(appliance)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion[version]
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection(("127.0.0.1", appliance.ports[service])) as carrier,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(carrier, server_hostname="localhost")


@pytest.mark.parametrize("ciphers", ["NULL", "aNULL", "RC4", "3DES", "EXPORT", "CBC", "kRSA"])
def test_weak_suites_are_refused(appliance: Appliance, ciphers: str) -> None:
    context = trust(appliance)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    names = {"CBC": "AES128-SHA:AES256-SHA:ECDHE-ECDSA-AES128-SHA", "kRSA": "AES128-GCM-SHA256"}
    try:
        context.set_ciphers(names.get(ciphers, ciphers) + ":@SECLEVEL=0")
    except ssl.SSLError:
        pytest.skip("the client knows no such suites any more")
    with (
        socket.create_connection(("127.0.0.1", appliance.ports["imaps"])) as carrier,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(carrier, server_hostname="localhost")


@pytest.mark.parametrize("name", ["unknown.example", "x" * 60 + "." + "y" * 60 + ".example", None])
def test_names_nobody_has_get_the_first_certificate(appliance: Appliance, name: str | None) -> None:
    context = trust(appliance)
    context.check_hostname = False
    with (
        socket.create_connection(("127.0.0.1", appliance.ports["imaps"])) as carrier,
        context.wrap_socket(carrier, server_hostname=name) as secured,
    ):
        assert secured.recv(100).startswith(b"* OK")
        assert secured.compression() is None
        assert secured.version() in ("TLSv1.2", "TLSv1.3")


def test_tickets_do_not_outlive_the_process(appliance: Appliance) -> None:
    context = trust(appliance)

    def visit(session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool]:
        carrier = socket.create_connection(("127.0.0.1", appliance.ports["imaps"]))
        with context.wrap_socket(carrier, server_hostname="localhost", session=session) as secured:
            secured.recv(100)
            return secured.session, bool(secured.session_reused)

    session, _ = visit(None)
    assert appliance.stop() == 0
    appliance.start()
    assert not visit(session)[1]


# ---------------------------------------------------------------- T7: truncation


@pytest.mark.parametrize(
    ("service", "sent"),
    [
        ("smtp_tls", b"DATA\r\nSubject: cut\r\n\r\nx\r\n."),
        ("smtp_tls", b"BDAT 20 LAST\r\nSubject: cut\r\n\r\n"),
        ("imaps", b"b APPEND INBOX {20+}\r\nSubject: cut\r\n\r\n"),
        ("imaps", b"b APPEND INBOX {17+}\r\nSubject: cut\r\n\r\nx"),
        ("imaps", b"b DELETE Tra"),
        ("pop3s", b"DELE 1\r\nQUI"),
    ],
)
def test_what_is_cut_off_is_not_done(appliance: Appliance, service: str, sent: bytes) -> None:
    """Somebody in between ends the connection where it suits them, without close_notify."""
    before = [len(fetch_all(appliance, name)) for name in ("ann", "bob")]
    with raw(appliance, service) as one:
        if service == "smtp_tls":
            one.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<" + ANN.encode() + b">\r\n")
            if sent.startswith(b"DATA"):
                one.send(b"DATA\r\n")
                while not one.line().startswith(b"354"):
                    pass
                sent = sent.partition(b"\r\n")[2]
        elif service == "imaps":
            log_in(one, "ann")
        else:
            one.send(f"USER {ANN}\r\nPASS {PASSWORDS['ann']}\r\n".encode())
            one.line()
            one.line()
        one.send(sent)
        # The socket below TLS: no close_notify is sent.
        socket.socket(fileno=one.socket.detach()).close()
    assert [len(fetch_all(appliance, name)) for name in ("ann", "bob")] == before
    with raw(appliance, "imaps") as one:
        log_in(one, "ann")
        one.send(b"c STATUS Trash (MESSAGES)\r\n")
        assert b"c OK" in one.until(b"c ")


def log_in(one: Raw, name: str) -> None:
    one.send(f'a LOGIN {address(name)} "{PASSWORDS[name]}"\r\n'.encode())
    assert b"a OK" in one.until(b"a ")


# ---------------------------------------------------------------- A3, A6: who exists


def test_a_denial_says_the_same_whoever_is_meant(appliance: Appliance) -> None:
    """A3: unknown, known, disabled, without a password, of no domain of ours, malformed."""
    appliance.verb("account", "add", address("dora"), stdin="some password\n", check=False)
    appliance.verb("account", "disable", address("dora"))
    users = (
        ANN,
        address("dora"),
        address("nobody"),
        "ann@elsewhere.example",
        "no address at all",
    )
    replies: dict[str, set[bytes]] = {"imap": set(), "sasl": set(), "user": set(), "pass": set()}
    with contextlib.ExitStack() as held:
        waiting = []
        for number, user in enumerate(users):
            source = f"127.44.{number}.1"
            imap = held.enter_context(raw(appliance, "imaps", source=source))
            imap.send(f'a LOGIN "{user}" "wrong {number}"\r\n'.encode())
            sasl = held.enter_context(raw(appliance, "imaps", source=source))
            sasl.send(b"a AUTHENTICATE PLAIN " + plain(user, f"wrong {number}") + b"\r\n")
            pop3 = held.enter_context(raw(appliance, "pop3s", source=source))
            pop3.send(f"USER {user}\r\nPASS wrong {number}\r\n".encode())
            waiting.append((imap, sasl, pop3))
        # A6: who waits for a denial takes nobody's place, and nobody's turn.
        with raw(appliance, "imaps") as owner:
            log_in(owner, "bob")
        for imap, sasl, pop3 in waiting:
            replies["imap"].add(imap.until(b"a "))
            replies["sasl"].add(sasl.until(b"a "))
            replies["user"].add(pop3.line())
            replies["pass"].add(pop3.line())
    assert {kind: len(found) for kind, found in replies.items()} == dict.fromkeys(replies, 1)
    assert b"[AUTHENTICATIONFAILED]" in next(iter(replies["imap"]))
    assert next(iter(replies["pass"])).startswith(b"-ERR [AUTH]")


def test_a_recipient_tells_and_a_login_does_not(appliance: Appliance) -> None:
    """A3: RFC 5321 wants 550 for unknown recipients; guessing them ends the session."""
    with raw(appliance, "lmtp") as one:
        one.say(b"LHLO c")
        one.say(b"MAIL FROM:<>")
        assert one.say(b"RCPT TO:<nobody@example.test>").startswith(b"550 5.1.1")


# ---------------------------------------------------------------- A10: out of order


def test_logins_out_of_order(appliance: Appliance) -> None:
    with raw(appliance, "imaps") as one:
        one.send(b"a AUTHENTICATE PLAIN\r\n")
        assert one.line().startswith(b"+ ")
        one.send(b"*\r\n")
        assert one.line().startswith(b"a BAD")
        log_in(one, "ann")
        for command in (
            f'LOGIN {ANN} "{PASSWORDS["ann"]}"',
            "AUTHENTICATE PLAIN " + plain(ANN, PASSWORDS["ann"]).decode(),
            "STARTTLS",
        ):
            one.send(b"t " + command.encode() + b"\r\n")
            assert one.line().startswith(b"t BAD")
        one.send(b"z NOOP\r\n")
        assert one.until(b"z ").endswith(b"z OK Done\r\n")


def test_many_exchanges_that_are_broken_off(appliance: Appliance) -> None:
    with contextlib.ExitStack() as held:
        for number in range(60):
            one = connect(appliance, "imaps", source=f"127.45.{number}.1")
            held.callback(one.close)
            one.line()
            one.send(b"a AUTHENTICATE SCRAM-SHA-256\r\n")
            assert one.line().startswith(b"+ ")
            if number % 2:
                one.send(base64.b64encode(b"n,,n=ann@example.test,r=nonce") + b"\r\n")
        with raw(appliance, "imaps") as owner:
            log_in(owner, "ann")
