"""The extension table: what is shown when, and that each row and command has its dialogue."""

from pathlib import Path

import pytest

from mailbox_server.smtp.dialects import LMTP, SMTP, SUBMISSION
from mailbox_server.smtp.extensions import EXTENSIONS, Extension, Standing, offered
from mailbox_server.smtp.limits import SmtpLimits

DIALOGUES = Path(__file__).resolve().parents[2] / "dialogues"
COMMANDS = (
    *("HELO", "EHLO", "MAIL FROM", "RCPT TO", "DATA", "BDAT", "RSET", "NOOP", "QUIT", "HELP"),
    *("VRFY", "EXPN", "STARTTLS", "AUTH", "ETRN", "TURN", "SEND", "XCLIENT", "XFORWARD"),
)
# What a script sends to show that an extension is more than a word.
USED = (
    ("PIPELINING", r"RCPT TO:<ann@example.org>\r\nDATA\r\n"),
    ("SIZE", "> MAIL FROM:<> SIZE="),
    ("8BITMIME", "body=8bitmime"),
    ("SMTPUTF8", "> SMTPUTF8"),
    ("CHUNKING", "BDAT 2 last"),
    ("ENHANCEDSTATUSCODES", "< 250 2.0.0"),
    ("DSN", "NOTIFY=SUCCESS,DELAY"),
    ("STARTTLS", "> STARTTLS"),
    ("AUTH", "> AUTH PLAIN"),
    ("BURL", "> BURL imap://ann@"),
    ("FUTURERELEASE", "HOLDFOR=60"),
    ("DELIVERBY", "BY=120;R"),
    ("MT-PRIORITY", "MT-PRIORITY=3"),
    ("REQUIRETLS", "MAIL FROM:<bob@example.net> REQUIRETLS"),
    ("XVERP", "XVERP=+="),
    ("XBOUNCECOUNT", "<list@example.org> XBOUNCECOUNT"),
    ("LIMITS", "< 452 4.5.3"),
)


def scripts(dialect: str) -> str:
    return "\n".join(path.read_text("utf-8") for path in (DIALOGUES / dialect).glob("*.txt"))


def test_every_row_names_its_rfc_once() -> None:
    assert all(row.rfc.startswith("RFC ") for row in EXTENSIONS)
    assert len({row.keyword for row in EXTENSIONS}) == len(EXTENSIONS)


@pytest.mark.parametrize("row", EXTENSIONS, ids=lambda row: row.keyword)
def test_every_row_has_a_dialogue(row: Extension) -> None:
    told = scripts("smtp") + scripts("submission")
    assert f"250-{row.keyword}" in told or f"250 {row.keyword}" in told
    assert dict(USED)[row.keyword] in told


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_dialogue(command: str) -> None:
    assert f"> {command}" in scripts("smtp")


@pytest.mark.parametrize("dialect", [SMTP, SUBMISSION, LMTP], ids=lambda dialect: dialect.name)
def test_every_dialect_has_dialogues(dialect: object) -> None:
    assert "> RCPT TO" in scripts(getattr(dialect, "name", ""))


def test_tls_changes_what_is_offered() -> None:
    limits = SmtpLimits()
    plain = offered(Standing(limits, tls_on=False, tls_possible=True))
    assert "STARTTLS" in plain and "REQUIRETLS" not in plain
    secured = offered(Standing(limits, tls_on=True, tls_possible=True))
    assert "STARTTLS" not in secured and "REQUIRETLS" in secured
    neither = offered(Standing(limits, tls_on=False, tls_possible=False))
    assert "STARTTLS" not in neither and "REQUIRETLS" not in neither
