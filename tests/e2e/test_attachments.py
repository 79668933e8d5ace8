"""A mail with a PDF arrives, and IMAP finds what the PDF says."""

import subprocess
import time
from pathlib import Path

from tests.e2e.appliance import Appliance, address
from tests.e2e.mail import imap
from tests.e2e.peers.programs import need

INVOICE = Path(__file__).parents[1] / "vectors" / "documents" / "invoice.pdf"


def readers_of(process: int) -> list[str]:
    """The processes that read documents for a server."""
    found = subprocess.run(
        ["ps", "--ppid", str(process), "-ww", "-o", "pid=,args="], capture_output=True, text=True
    )
    return [line for line in found.stdout.splitlines() if "attached_text.child" in line]


def test_a_word_in_a_pdf_is_found(appliance: Appliance) -> None:
    assert readers_of(appliance.pid) == []
    sent = subprocess.run(
        [
            need("swaks"), "--server", f"localhost:{appliance.ports['smtp']}",
            "--from", "sender@example.net", "--to", address("ann"), "--attach-name", "bill.pdf",
            "--attach-type", "application/pdf", "--attach", f"@{INVOICE}",
        ],
        capture_output=True, timeout=60,
    )  # fmt: skip
    assert sent.returncode == 0, sent.stdout
    client = imap(appliance)
    client.select("INBOX")
    until = time.monotonic() + 60
    while (found := client.search(None, "BODY", '"bis michaelmas"')[1]) != [b"1"]:
        assert time.monotonic() < until, found
        time.sleep(0.05)
    for criteria in ('TEXT "counterfoil"', 'FUZZY BODY "counterfoil"', 'OR SUBJECT x BODY "4711"'):
        assert client.search(None, criteria)[1] == [b"1"], criteria
    assert client.search(None, 'SUBJECT "counterfoil"')[1] == [b""]
    client.logout()
    assert len(readers_of(appliance.pid)) == 1
    assert b"1 read" in appliance.verb("store", "status").stdout
