"""Mail is read by programs that nobody here wrote, over TLS and not, byte for byte."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.appliance import PASSWORDS, Appliance, address
from tests.e2e.mail import TRICKY, content_of, fetch_all, imap, pop3, send
from tests.e2e.peers.programs import need, run, run_on_terminal

COUNT = 12


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """Plain-text logins are allowed from loopback here, to read without TLS too."""
    running = Appliance(
        tmp_path_factory.mktemp("readers"), "[login]\nplaintext_on_loopback = true\n"
    )
    running.open_accounts()
    running.start()
    for number in range(COUNT):
        send(running, _message(number), [address("ann"), address("bob")])
    yield running
    assert running.stop() == 0


def _message(number: int) -> bytes:
    return TRICKY.replace(b"tricky@", f"reader-{number}@".encode())


def _crlf(octets: bytes) -> bytes:
    return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def test_imaplib(appliance: Appliance) -> None:
    messages = fetch_all(appliance, "bob")
    assert [content_of(message) for message in messages] == [_message(n) for n in range(COUNT)]


def test_imaplib_searches_flags_and_moves(appliance: Appliance) -> None:
    client = imap(appliance, "bob")
    client.select("INBOX")
    assert client.uid("SEARCH", None, "SUBJECT", '"with dots"')[1][0].split() == [
        str(n + 1).encode() for n in range(COUNT)
    ]
    client.uid("STORE", "1:2", "+FLAGS", r"(\Flagged custom)")
    assert client.search(None, "FLAGGED")[1] == [b"1 2"]
    assert client.uid("COPY", "1", "Archive")[0] == "OK"
    assert client.uid("MOVE", "2", "Archive")[0] == "OK"
    assert client.select("Archive")[1] == [b"2"]
    client.logout()


def test_poplib(appliance: Appliance) -> None:
    client = pop3(appliance)
    count, octets = client.stat()
    messages = [b"\r\n".join(client.retr(n + 1)[1]) + b"\r\n" for n in range(count)]
    assert [content_of(message) for message in messages] == [_message(n) for n in range(COUNT)]
    assert sum(map(len, messages)) == octets
    client.quit()


@pytest.fixture(scope="module")
def token(appliance: Appliance) -> str:
    """An app password of ann's."""
    said = appliance.verb("token", "add", address("ann"), "--name", "curl").stdout.decode()
    found = re.search(r"[a-z2-7]{5}(?:-[a-z2-7]{5,6}){4}", said)
    assert found is not None, said
    return found[0]


@pytest.mark.parametrize(
    ("scheme", "service", "options"),
    [
        ("imaps", "imaps", []),
        ("imap", "imap", ["--ssl-reqd"]),
        ("imap", "imap", []),
    ],
)
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256", ""])
def test_curl_imap(
    appliance: Appliance, scheme: str, service: str, options: list[str], mechanism: str
) -> None:
    login = ["--login-options", f"AUTH={mechanism}"] if mechanism else []
    curl = need("curl")
    if mechanism == "SCRAM-SHA-256" and b"gsasl" not in run(curl, "--version").lower():
        pytest.skip("this curl was built without SCRAM")
    got = run(
        curl, "--silent", "--show-error", *options, *login,
        "--cacert", str(appliance.authority),
        "--user", f"{address('ann')}:{PASSWORDS['ann']}",
        f"{scheme}://localhost:{appliance.ports[service]}/INBOX;UID=3",
    )  # fmt: skip
    assert content_of(got) == _message(2)


@pytest.mark.parametrize(
    ("scheme", "service", "options"),
    [("pop3s", "pop3s", []), ("pop3", "pop3", ["--ssl-reqd"]), ("pop3", "pop3", [])],
)
def test_curl_pop3(appliance: Appliance, scheme: str, service: str, options: list[str]) -> None:
    got = run(
        need("curl"), "--silent", "--show-error", *options,
        "--cacert", str(appliance.authority),
        "--user", f"{address('ann')}:{PASSWORDS['ann']}",
        f"{scheme}://localhost:{appliance.ports[service]}/3",
    )  # fmt: skip
    assert content_of(got) == _message(2)


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
@pytest.mark.parametrize(("service", "path"), [("imaps", "/INBOX;UID=3"), ("pop3s", "/3")])
def test_curl_with_a_token(
    appliance: Appliance, token: str, service: str, path: str, mechanism: str
) -> None:
    got = run(
        need("curl"), "--silent", "--show-error", "--login-options", f"AUTH={mechanism}",
        "--cacert", str(appliance.authority),
        "--user", address("ann"), "--oauth2-bearer", token,
        f"{service}://localhost:{appliance.ports[service]}{path}",
    )  # fmt: skip
    assert content_of(got) == _message(2)


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_fetchmail(appliance: Appliance, protocol: str, tls: str, tmp_path: Path) -> None:
    fetchmail = need("fetchmail")
    service = protocol + ("s" if tls == "implicit" else "")
    target = tmp_path / "got"
    settings = tmp_path / "fetchmailrc"
    settings.write_text(
        f"poll localhost protocol {protocol} port {appliance.ports[service]}\n"
        f'  user "{address("ann")}" password "{PASSWORDS["ann"]}"\n'
        f"  {'ssl' if tls == 'implicit' else ''} sslproto 'auto' sslcertck"
        f" sslcertfile {appliance.authority}\n"
        f'  fetchall keep no rewrite mda "cat >> {target}"\n'
    )
    settings.chmod(0o600)
    run(
        fetchmail, "-f", str(settings), "--nodetach", "--nosyslog", "--pidfile",
        str(tmp_path / "pid"), "-i", str(tmp_path / "ids"),
        environment={"FETCHMAILHOME": str(tmp_path), "HOME": str(tmp_path)},
    )  # fmt: skip
    got = _crlf(target.read_bytes())
    for number in range(COUNT):
        assert _message(number).split(b"\r\n\r\n", 1)[1] in got
        assert f"<reader-{number}@".encode() in got


@pytest.mark.parametrize("protocol", ["IMAP", "POP3"])
def test_getmail(appliance: Appliance, protocol: str, tmp_path: Path) -> None:
    getmail = need("getmail")
    arrived = tmp_path / "arrived"
    arrived.mkdir()
    (tmp_path / "getmailrc").write_text(
        f"[retriever]\ntype = Simple{protocol}SSLRetriever\nserver = localhost\n"
        f"port = {appliance.ports[protocol.lower() + 's']}\n"
        f"username = {address('ann')}\npassword = {PASSWORDS['ann']}\n"
        f"ca_certs = {appliance.authority}\n"
        f"[destination]\ntype = MDA_external\npath = /bin/sh\n"
        f"arguments = ('-c', 'cat > {arrived}/$$')\nallow_root_commands = true\n"
        "[options]\ndelivered_to = false\nreceived = false\nread_all = true\ndelete = false\n"
    )
    run(getmail, "--getmaildir", str(tmp_path), environment={"HOME": str(tmp_path)})
    got = sorted(content_of(_without_note(path)) for path in arrived.iterdir())
    assert got == sorted(_message(number) for number in range(COUNT))


def _without_note(path: Path) -> bytes:
    """What getmail delivered, without the field that it adds for IMAP."""
    return _crlf(path.read_bytes()).replace(b"X-getmail-retrieved-from-mailbox: INBOX\r\n", b"")


@pytest.mark.parametrize("service", ["imaps", "imap"])
def test_mutt(appliance: Appliance, service: str, tmp_path: Path) -> None:
    mutt = need("mutt")
    saved = tmp_path / "saved"
    (tmp_path / "muttrc").write_text(
        f'set imap_user="{address("ann")}"\nset imap_pass="{PASSWORDS["ann"]}"\n'
        f'set certificate_file="{appliance.authority}"\nset ssl_verify_host=no\n'
        f"set ssl_starttls=yes\nset ssl_force_tls=yes\nset mbox_type=mbox\nset confirmappend=no\n"
        f"set confirmcreate=no\nset delete=no\nset move=no\nset quit=yes\nset wait_key=no\n"
        f"set header_cache=\nset message_cachedir=\nset copy=no\nset sleep_time=0\n"
        # A folder that is missing would be asked about, and the question eats the first key.
        f"set folder={tmp_path}\nset spoolfile=\nset beep=no\n"
        f'push "<first-entry><copy-message>{saved}<enter><exit>"\n'
    )
    run_on_terminal(
        mutt, "-F", str(tmp_path / "muttrc"),
        "-f", f"{service}://localhost:{appliance.ports[service]}/INBOX",
        environment={"TERM": "xterm", "HOME": str(tmp_path)},
    )  # fmt: skip
    got = saved.read_bytes()
    assert b"<reader-0@" in got
    assert b"\n.\n..\n.leading dot\nGr\xc3\xbc\xc3\x9fe\n" in got


def _maildir_messages(maildir: Path) -> list[bytes]:
    return sorted(
        _crlf(path.read_bytes()) for name in ("cur", "new") for path in (maildir / name).iterdir()
    )


def test_mbsync_both_ways_and_twice(appliance: Appliance, tmp_path: Path) -> None:
    mbsync = need("mbsync")
    local = tmp_path / "mail"
    local.mkdir()
    settings = tmp_path / "mbsyncrc"
    settings.write_text(
        f"IMAPAccount a\nHost localhost\nPort {appliance.ports['imaps']}\n"
        f'User {address("ann")}\nPass "{PASSWORDS["ann"]}"\nSSLType IMAPS\n'
        f"CertificateFile {appliance.authority}\nAuthMechs LOGIN\n\n"
        f"IMAPStore far\nAccount a\n\n"
        f"MaildirStore near\nPath {local}/\nInbox {local}/INBOX\nSubFolders Verbatim\n\n"
        f"Channel c\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\n"
        f"CopyArrivalDate yes\nSyncState *\n"
    )
    run(mbsync, "-c", str(settings), "c")
    inbox = local / "INBOX"
    assert len(_maildir_messages(inbox)) == COUNT
    got = [content_of(_without_tuid(message)) for message in _maildir_messages(inbox)]
    assert sorted(got) == sorted(_message(number) for number in range(COUNT))

    uploaded = _message(99)
    (inbox / "new" / "1.upload.host").write_bytes(uploaded.replace(b"\r\n", b"\n"))
    run(mbsync, "-c", str(settings), "c")
    far = fetch_all(appliance)
    assert len(far) == COUNT + 1
    assert b"<reader-99@" in far[-1]

    before = sorted(path.name for path in inbox.rglob("*") if path.is_file())
    said = run(mbsync, "-c", str(settings), "-V", "c")
    assert sorted(path.name for path in inbox.rglob("*") if path.is_file()) == before
    assert fetch_all(appliance) == far
    assert said is not None

    client = imap(appliance)
    client.select("INBOX")
    client.uid("STORE", str(COUNT + 1), "+FLAGS", r"(\Deleted)")
    client.expunge()
    client.logout()
    run(mbsync, "-c", str(settings), "c")
    assert len(_maildir_messages(inbox)) == COUNT


def _without_tuid(message: bytes) -> bytes:
    return b"".join(
        line for line in message.splitlines(keepends=True) if not line.startswith(b"X-TUID: ")
    )
