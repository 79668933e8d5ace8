"""EXTERNAL by clients that are not ours: openssl, curl, imaplib and poplib with a certificate."""

import imaplib
import json
import poplib
import smtplib
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import trustme

from tests.e2e.appliance import Appliance, address

PATIENCE_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class House:
    """An appliance, and the files of those who come to it: certificate with its key."""

    appliance: Appliance
    holders: dict[str, Path]


def _holder(place: Path, name: str, authority: trustme.CA) -> Path:
    file = place / f"{name}.pem"
    identity = authority.issue_cert(address(name), common_name=name)
    file.write_bytes(identity.private_key_and_cert_chain_pem.bytes())
    return file


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Certificates that nobody vouches for; bob's says that it is ann's, too."""
    place = tmp_path_factory.mktemp("registered")
    appliance = Appliance(place)
    appliance.config.write_text(
        appliance.config.read_text().replace(
            "[tls]", '[tls]\nclient_certificates = "registered"', 1
        )
    )
    appliance.open_accounts(["ann", "bob"])
    holders = {name: _holder(place, name, trustme.CA()) for name in ("ann", "bob", "eve")}
    appliance.verb("account", "certificate", "add", address("ann"), str(holders["ann"]))
    appliance.start()
    # The server is up: the next handshake knows it.
    appliance.verb("account", "certificate", "add", address("bob"), str(holders["bob"]))
    yield House(appliance, holders)
    assert appliance.stop() == 0


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Certificates of one authority, whose addresses count."""
    place, authority = tmp_path_factory.mktemp("issued"), trustme.CA()
    root = place / "clients.pem"
    root.write_bytes(authority.cert_pem.bytes())
    appliance = Appliance(place)
    appliance.config.write_text(
        appliance.config.read_text().replace(
            "[tls]", f'[tls]\nclient_certificates = "issued"\nclient_authority = "{root}"', 1
        )
    )
    appliance.open_accounts(["ann"])
    appliance.start()
    holders = {name: _holder(place, name, authority) for name in ("ann", "nobody")}
    yield House(appliance, holders)
    assert appliance.stop() == 0


@pytest.fixture(params=["registered", "issued"])
def house(request: pytest.FixtureRequest) -> House:
    made: House = request.getfixturevalue(request.param)
    return made


def trusting(house: House, name: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(house.appliance.authority))
    if name is not None:
        context.load_cert_chain(house.holders[name])
    return context


def curl(house: House, name: str, scheme: str, user: str) -> subprocess.CompletedProcess[bytes]:
    port = house.appliance.ports[scheme]
    holder = str(house.holders[name])
    return subprocess.run(
        [
            *("curl", "-sS", "-v", "--cacert", str(house.appliance.authority), "--cert", holder),
            *("--user", f"{user}:", "--login-options", "AUTH=EXTERNAL"),
            *("--max-time", str(PATIENCE_SECONDS), f"{scheme}://localhost:{port}/"),
        ],
        capture_output=True,
        timeout=PATIENCE_SECONDS * 2,
    )


def test_curl_reads_by_imap(house: House) -> None:
    done = curl(house, "ann", "imaps", address("ann"))
    assert done.returncode == 0, done.stderr
    assert b'"INBOX"' in done.stdout
    assert b"AUTHENTICATE EXTERNAL" in done.stderr


def test_curl_reads_by_pop3(house: House) -> None:
    done = curl(house, "ann", "pop3s", address("ann"))
    assert done.returncode == 0, done.stderr
    assert b"AUTH EXTERNAL" in done.stderr


def test_curl_with_the_certificate_of_another(registered: House) -> None:
    done = curl(registered, "bob", "imaps", address("ann"))
    assert done.returncode == 67, done.stderr  # login denied
    assert b"[AUTHENTICATIONFAILED]" in done.stderr


def openssl(house: House, name: str, port: str, words: bytes, starttls: str | None) -> bytes:
    more = [] if starttls is None else ["-starttls", starttls]
    done = subprocess.run(
        [
            *("openssl", "s_client", "-quiet"),
            *("-connect", f"localhost:{house.appliance.ports[port]}"),
            *("-cert", str(house.holders[name]), "-key", str(house.holders[name]), *more),
        ],
        input=words,
        capture_output=True,
        timeout=PATIENCE_SECONDS * 2,
    )
    return done.stdout


@pytest.mark.parametrize("starttls", [None, "imap"])
def test_openssl_by_imap(house: House, starttls: str | None) -> None:
    port = "imaps" if starttls is None else "imap"
    said = b"a CAPABILITY\r\nb AUTHENTICATE EXTERNAL =\r\nc STATUS INBOX (MESSAGES)\r\nd LOGOUT\r\n"
    told = openssl(house, "ann", port, said, starttls)
    assert b" AUTH=EXTERNAL " in told
    assert b"b OK [CAPABILITY" in told
    assert b'* STATUS "INBOX" (MESSAGES 0)' in told


def test_openssl_by_pop3(house: House) -> None:
    told = openssl(house, "ann", "pop3s", b"CAPA\r\nAUTH EXTERNAL =\r\nSTAT\r\nQUIT\r\n", None)
    assert b"SASL EXTERNAL " in told
    assert b"+OK 0 0" in told


def test_who_shows_none_logs_in_as_ever(house: House) -> None:
    for context in (trusting(house, None), trusting(house, "ann")):
        with imaplib.IMAP4_SSL(
            "localhost", house.appliance.ports["imaps"], ssl_context=context
        ) as client:
            assert client.login(address("ann"), "correct horse")[0] == "OK"
    with imaplib.IMAP4_SSL(
        "localhost", house.appliance.ports["imaps"], ssl_context=trusting(house, None)
    ) as client:
        assert "AUTH=EXTERNAL" not in client.capabilities
        with pytest.raises(imaplib.IMAP4.error, match="No such mechanism"):
            client.authenticate("EXTERNAL", lambda challenge: b"")


def test_an_unknown_one_cannot_connect(registered: House) -> None:
    with pytest.raises((OSError, EOFError, imaplib.IMAP4.abort, poplib.error_proto)):
        poplib.POP3_SSL(
            "localhost", registered.appliance.ports["pop3s"], context=trusting(registered, "eve")
        )


def test_one_issued_to_nobody_here(issued: House) -> None:
    with imaplib.IMAP4_SSL(
        "localhost", issued.appliance.ports["imaps"], ssl_context=trusting(issued, "nobody")
    ) as client:
        assert "AUTH=EXTERNAL" in client.capabilities
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            client.authenticate("EXTERNAL", lambda challenge: b"")


def test_other_mail_servers_are_not_asked(registered: House) -> None:
    for name in ("eve", "ann"):
        with smtplib.SMTP("localhost", registered.appliance.ports["smtp"]) as client:
            client.starttls(context=trusting(registered, name))
            assert client.ehlo()[0] == 250


def test_a_removed_one_ends_its_sessions(registered: House) -> None:
    house = registered
    context = trusting(house, "bob")
    port = house.appliance.ports["imaps"]
    client = imaplib.IMAP4_SSL("localhost", port, ssl_context=context)
    assert client.authenticate("EXTERNAL", lambda challenge: b"")[0] == "OK"
    listed = house.appliance.verb("--json", "account", "certificate", "list", address("bob"))
    number = str(json.loads(listed.stdout)[0]["certificate"])
    house.appliance.verb("account", "certificate", "remove", address("bob"), number)
    client.sock.settimeout(PATIENCE_SECONDS)
    assert client.readline().startswith(b"* BYE ")
    client.shutdown()
    with (
        imaplib.IMAP4_SSL("localhost", port, ssl_context=context) as again,
        pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"),
    ):
        again.authenticate("EXTERNAL", lambda challenge: b"")
