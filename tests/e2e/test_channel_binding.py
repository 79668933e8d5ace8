"""SCRAM-SHA-256-PLUS by another implementation, over real TLS of all beginnings."""

import base64
import hashlib
import imaplib
import poplib
import ssl
from collections.abc import Iterator

import pytest
import scramp

from tests.e2e.appliance import PASSWORDS, Appliance, address

SHOWN = 'show = ["everyone: AUTH=SCRAM-SHA-256-PLUS"]'


@pytest.fixture(scope="module")
def bound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    running = Appliance(tmp_path_factory.mktemp("bound"), f"[imap]\n{SHOWN}\n[pop3]\n{SHOWN}\n")
    running.open_accounts(["ann"])
    running.start()
    yield running
    assert running.stop() == 0


def client_of(session: ssl.SSLSocket, *, spoils: bool = False) -> scramp.ScramClient:
    """A client bound to the certificate that it saw, or to another one."""
    certificate = session.getpeercert(binary_form=True)
    assert certificate is not None
    data = hashlib.sha256(certificate + (b"x" if spoils else b"")).digest()
    return scramp.ScramClient(
        ["SCRAM-SHA-256-PLUS"],
        address("ann"),
        PASSWORDS["ann"],
        channel_binding=("tls-server-end-point", data),
    )


class Steps:
    """imaplib's authobject: what the client says to each challenge."""

    def __init__(self, client: scramp.ScramClient) -> None:
        self.client = client
        self.told = 0

    def __call__(self, challenge: bytes) -> bytes:
        self.told += 1
        match self.told:
            case 1:
                return bytes(self.client.get_client_first(), "utf-8")
            case 2:
                self.client.set_server_first(challenge.decode())
                return bytes(self.client.get_client_final(), "utf-8")
        self.client.set_server_final(challenge.decode())
        return b""


def context(appliance: Appliance, version: ssl.TLSVersion) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(appliance.authority))
    made.minimum_version = made.maximum_version = version
    return made


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def imap(appliance: Appliance, version: ssl.TLSVersion, *, implicit: bool) -> imaplib.IMAP4:
    trusting = context(appliance, version)
    if implicit:
        return imaplib.IMAP4_SSL("localhost", appliance.ports["imaps"], ssl_context=trusting)
    plain = imaplib.IMAP4("localhost", appliance.ports["imap"])
    plain.starttls(trusting)
    return plain


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("implicit", [True, False])
def test_imap(bound: Appliance, version: ssl.TLSVersion, implicit: bool) -> None:
    with imap(bound, version, implicit=implicit) as client:
        assert "AUTH=SCRAM-SHA-256-PLUS" in client.capabilities
        assert isinstance(client.sock, ssl.SSLSocket)
        steps = Steps(client_of(client.sock))
        assert client.authenticate("SCRAM-SHA-256-PLUS", steps)[0] == "OK"
        assert steps.told == 3
        assert client.select()[0] == "OK"


@pytest.mark.parametrize("implicit", [True, False])
def test_imap_of_somebody_in_the_middle(bound: Appliance, implicit: bool) -> None:
    with imap(bound, ssl.TLSVersion.TLSv1_3, implicit=implicit) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        steps = Steps(client_of(client.sock, spoils=True))
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            client.authenticate("SCRAM-SHA-256-PLUS", steps)


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize("spoils", [True, False])
def test_pop3(bound: Appliance, implicit: bool, spoils: bool) -> None:
    trusting = context(bound, ssl.TLSVersion.TLSv1_3)
    client: poplib.POP3
    if implicit:
        client = poplib.POP3_SSL("localhost", bound.ports["pop3s"], context=trusting)
    else:
        client = poplib.POP3("localhost", bound.ports["pop3"])
        client.stls(trusting)
    assert "SCRAM-SHA-256-PLUS" in client.capa()["SASL"]
    assert isinstance(client.sock, ssl.SSLSocket)
    steps = Steps(client_of(client.sock, spoils=spoils))

    def say(octets: bytes) -> bytes:
        client._putline(octets)
        line, _ = client._getline()
        return bytes(line)

    line = say(b"AUTH SCRAM-SHA-256-PLUS")
    while line.startswith(b"+ "):
        line = say(base64.b64encode(steps(base64.b64decode(line[2:]))))
    assert line.startswith(b"-ERR [AUTH]" if spoils else b"+OK maildrop")
    client.quit()
