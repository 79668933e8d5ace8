"""Every verb does the same with the server up and with the server down."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import trustme
from click.testing import CliRunner

from mailbox_server.cli.main import main
from tests.e2e.appliance import Appliance


@pytest.fixture(scope="module", params=["up", "down"])
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Appliance]:
    """An appliance that holds example.test and ann, with its server up or down."""
    appliance = Appliance(tmp_path_factory.mktemp(request.param))
    appliance.open_accounts(["ann"])
    if request.param == "up":
        appliance.start()
    yield appliance
    assert appliance.stop() == 0


@dataclass(frozen=True)
class Done:
    """How a verb ended."""

    code: int
    stdout: bytes
    stderr: str


def run(house: Appliance, *words: str, stdin: str | bytes = b"") -> Done:
    """Run a verb in this process, which saves the start of another; nothing else differs."""
    before = os.umask(0o077)
    arguments = ["mailbox-server", "--config", str(house.config), *words]
    with CliRunner().isolation(stdin) as (out, err, _), mock.patch.object(sys, "argv", arguments):
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        sys.stdout.flush()
        sys.stderr.flush()
        done = Done(code, out.getvalue(), err.getvalue().decode())
    os.umask(before)
    return done


def verb(house: Appliance, *words: str, stdin: str | bytes = b"") -> bytes:
    """What a verb that is done prints."""
    done = run(house, *words, stdin=stdin)
    assert done.code == 0, done.stderr
    return done.stdout


def rows(house: Appliance, *words: str, stdin: str | bytes = b"") -> Any:
    return json.loads(verb(house, *words, "--json", stdin=stdin))


def refused(house: Appliance, code: int, *words: str, stdin: str | bytes = b"") -> str:
    """The one sentence that the verb ends with."""
    done = run(house, *words, stdin=stdin)
    assert done.code == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def test_domains(house: Appliance) -> None:
    made = rows(house, "domain", "add", "Bücher.example", "--catch-all", "ann@example.test")
    assert made[0]["domain"] == "bücher.example"
    assert {row["domain"] for row in rows(house, "domain", "list")} == {
        "example.test",
        "bücher.example",
    }
    assert "already" in refused(house, 1, "domain", "add", "xn--bcher-kva.example")
    change = ("domain", "catch-all", "bücher.example")
    assert rows(house, *change, "info@example.test")[0]["missing"] == ["info@example.test"]
    listed = {row["domain"]: row["catch_all"] for row in rows(house, "domain", "list")}
    assert listed == {"example.test": None, "bücher.example": "info@example.test"}
    assert rows(house, *change, "--none")[0]["catch_all"] is None
    assert "not in a domain hosted" in refused(house, 1, *change, "x@elsewhere.test")
    assert "expected" in refused(house, 2, *change)
    refused(house, 1, "domain", "add", "more.example", "--catch-all", "x@elsewhere.test")
    verb(house, "domain", "remove", "bücher.example")
    assert "still belong" in refused(house, 1, "domain", "remove", "example.test")
    refused(house, 1, "domain", "add", "no domain")


def test_signing_keys_and_records(house: Appliance) -> None:
    verb(house, "domain", "add", "signed.example")
    first = rows(house, "domain", "keys", "signed.example")
    assert [(key["algorithm"], key["state"]) for key in first] == [
        ("rsa", "signing"),
        ("ed25519", "signing"),
    ]
    assert not any("private" in key for key in first)
    fresh = rows(house, "domain", "rotate-keys", "signed.example")
    assert [key["state"] for key in fresh] == ["signing"] * 2 + ["waiting"] * 2
    assert len({key["selector"] for key in fresh}) == 4
    assert rows(house, "domain", "rotate-keys", "signed.example") == fresh
    changed = rows(house, "domain", "rotate-keys", "signed.example", "--at-once")
    assert [key["state"] for key in changed] == ["signing"] * 2 + ["revoked"] * 4
    assert len({key["selector"] for key in changed}) == 6
    now = rows(house, "domain", "keys", "signed.example")
    assert now == changed[:2]
    records = rows(house, "domain", "dns", "signed.example")
    values = {(row["name"], row["type"]): row["value"] for row in records}
    for key in now:
        assert values[key["record"], "TXT"] == key["value"]
    assert values["signed.example", "MX"].startswith("10 ")
    table = verb(house, "domain", "dns", "signed.example").decode()
    assert "_dmarc.signed.example" in table
    zone = verb(house, "domain", "dns", "signed.example", "--zone").decode()
    assert f'{now[0]["record"]}. 3600 IN TXT ( "v=DKIM1; k=rsa; p=MII' in zone
    assert "stands alone" in refused(
        house, 2, "domain", "dns", "signed.example", "--zone", "--json"
    )
    for words in (("keys",), ("rotate-keys",), ("dns",), ("dns", "--check")):
        asked = ("domain", words[0], "none.example", *words[1:])
        assert "not hosted" in refused(house, 1, *asked)
    verb(house, "domain", "remove", "signed.example")


def test_accounts(house: Appliance) -> None:
    made = rows(house, "account", "add", "bob@example.test", "--quota", "5G", stdin="a secret\n")
    assert made[0]["quota_octets"] == 5 << 30
    assert "already" in refused(house, 1, "account", "add", "bob@example.test", "--no-password")
    verb(house, "account", "password", "bob@example.test", stdin="another secret\n")
    verb(house, "account", "quota", "bob@example.test", "1M")
    assert "is not a size" in refused(house, 2, "account", "quota", "bob@example.test", "-5")
    assert "what to set" in refused(house, 2, "account", "set", "bob@example.test")
    assert "-1" in refused(house, 2, "account", "set", "bob@example.test", "--messages", "-1")
    (bob,) = rows(house, "account", "set", "bob@example.test", "--messages", "9", "--administrator")
    assert (bob["quota_messages"], bob["is_administrator"]) == (9, True)
    (bob,) = rows(house, "account", "set", "bob@example.test", "--no-administrator")
    assert (bob["quota_messages"], bob["is_administrator"]) == (9, False)
    assert bob["quota_octets"] == 1 << 20
    (bob,) = rows(house, "account", "set", "bob@example.test", "--shared")
    assert bob["is_shared"]
    assert not rows(house, "account", "set", "bob@example.test", "--not-shared")[0]["is_shared"]
    verb(house, "account", "disable", "bob@example.test")
    found = {row["address"]: row for row in rows(house, "account", "list")}
    assert found["bob@example.test"]["state"] == "disabled"
    assert found["bob@example.test"]["quota_octets"] == 1 << 20
    verb(house, "account", "disable", "bob@example.test", "--undo")
    assert "--yes" in refused(house, 2, "account", "remove", "bob@example.test")
    verb(house, "account", "remove", "bob@example.test", "--yes")
    assert "no account" in refused(house, 1, "account", "quota", "bob@example.test", "1M")
    assert "expected" in refused(house, 2, "account", "add", "c@example.test")
    assert "UTF-8" in refused(house, 2, "account", "add", "c@example.test", stdin=b"\xff\n")
    refused(house, 1, "account", "add", "c@example.test", stdin="x" * 2000 + "\n")
    refused(house, 1, "account", "add", "c@elsewhere.test", "--no-password")
    refused(house, 1, "account", "add", "c d@example.test", "--no-password")


def test_mailboxes_are_shared(house: Appliance) -> None:
    verb(house, "account", "add", "guest@example.test", "--no-password")
    owner = {"holder": "ann@example.test", "rights": "lrswipkxtecda"}
    where = ("ann@example.test", "inbox")
    assert [_right(row) for row in rows(house, "mailbox", "rights", *where)] == [owner]
    rows(house, "mailbox", "share", *where, "anyone", "lr")
    rows(house, "mailbox", "share", *where, "Guest@example.test", "read")
    found = rows(house, "mailbox", "share", *where, "guest@example.test", "r", "--deny")
    assert [_right(row) for row in found] == [
        owner,
        {"holder": "anyone", "rights": "lr"},
        {"holder": "guest@example.test", "rights": "lrs"},
        {"holder": "-guest@example.test", "rights": "r"},
    ]
    assert b"-guest@example.test" in verb(house, "mailbox", "rights", *where)
    rows(house, "mailbox", "share", *where, "anyone", "none")
    rows(house, "mailbox", "share", *where, "guest@example.test", "none", "--deny")
    verb(house, "account", "remove", "guest@example.test", "--yes")
    assert [_right(row) for row in rows(house, "mailbox", "rights", *where)] == [owner]
    assert "no rights" in refused(house, 1, "mailbox", "share", *where, "anyone", "LR")
    assert "owner" in refused(house, 1, "mailbox", "share", *where, "ann@example.test", "lr")
    assert "no account" in refused(house, 1, "mailbox", "share", *where, "x@example.test", "lr")
    refused(house, 1, "mailbox", "share", "ann@example.test", "None", "anyone", "lr")
    refused(house, 1, "mailbox", "rights", "x@example.test", "INBOX")


def _right(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("holder", "rights")}


def test_aliases(house: Appliance) -> None:
    done = run(house, "alias", "add", "info@example.test", "ann@example.test", "x@example.test")
    assert done.code == 0
    assert done.stderr == "warning: x@example.test is nobody's address yet\n"
    (alias,) = rows(house, "alias", "list", "--domain", "example.test")
    assert alias["targets"] == ["ann@example.test", "x@example.test"]
    (passed_on,) = rows(house, "alias", "add", "b@example.test", "x@elsewhere.test")
    assert (passed_on["targets"], passed_on["missing"]) == (["x@elsewhere.test"], [])
    bare = refused(house, 1, "alias", "add", "c@example.test", "x@[192.0.2.1]")
    assert "has no domain" in bare
    verb(house, "alias", "remove", "b@example.test")
    itself = refused(house, 1, "alias", "add", "x@example.test", "info@example.test")
    assert "itself" in itself
    verb(house, "alias", "remove", "info@example.test")
    assert rows(house, "alias", "list") == []
    assert "no alias" in refused(house, 1, "alias", "remove", "info@example.test")


def test_certificates(house: Appliance, tmp_path: Path) -> None:
    identity = trustme.CA().issue_cert("ann@example.test", common_name="Ann's laptop")
    file = tmp_path / "ann.pem"
    file.write_bytes(identity.cert_chain_pems[0].bytes())
    words = ("account", "certificate", "add", "ann@example.test", str(file), "--name", "laptop")
    (added,) = rows(house, *words)
    assert added["subject"].startswith("CN=Ann's laptop")
    assert len(added["fingerprint"]) == 32 * 3 - 1
    assert added["expires"] is not None
    assert rows(house, "account", "certificate", "list", "ann@example.test") == [added]
    assert rows(house, "token", "list", "ann@example.test") == []
    assert "already" in refused(house, 1, *words)
    number = str(added["certificate"])
    said = verb(house, "account", "certificate", "remove", "ann@example.test", number)
    assert said == f"certificate {number} logs in no more\n".encode()
    assert rows(house, "account", "certificate", "list", "ann@example.test") == []
    refused(house, 1, "account", "certificate", "remove", "ann@example.test", number)
    secret = rows(house, "token", "add", "ann@example.test")[0]
    token = str(secret["token"])
    refused(house, 1, "account", "certificate", "remove", "ann@example.test", token)
    verb(house, "token", "revoke", "ann@example.test", token)
    file.write_bytes(b"\xff\x00 no certificate")
    refused(house, 1, *words)
    refused(house, 2, *words[:4], str(tmp_path / "nothing.pem"))
    refused(house, 1, *words[:3], "nobody@example.test", str(house.authority))
    for _ in range(20):
        one = trustme.CA().issue_cert("ann@example.test")
        file.write_bytes(one.cert_chain_pems[0].bytes())
        rows(house, *words)
    file.write_bytes(trustme.CA().cert_pem.bytes())
    assert "at most 20" in refused(house, 1, *words)


def test_tokens(house: Appliance) -> None:
    words = ("token", "add", "ann@example.test", "--name", "phone", "--scope", "read")
    secret = verb(house, *words, "--expires", "2999-12-31").decode().strip()
    (token,) = rows(house, "token", "list", "ann@example.test")
    assert token["scope"] == "read"
    assert token["expires"] == "2999-12-31T00:00:00+00:00"
    assert secret not in json.dumps(token)
    verb(house, "token", "revoke", "ann@example.test", str(token["token"]))
    assert rows(house, "token", "list", "ann@example.test") == []
    refused(house, 1, "token", "revoke", "ann@example.test", "999")
    (token,) = rows(house, *words, "--expires", "90d")
    verb(house, "token", "revoke", "ann@example.test", str(token["token"]))
    for expires in ("1999-01-01", "soon", "9999-12-31T23:59:59-23:00", "0d", "999999y"):
        refused(house, 2, "token", "add", "ann@example.test", "--expires", expires)
    refused(house, 1, "token", "add", "ann@example.test", "--name", "x" * 101)
    refused(house, 2, "token", "add", "ann@example.test", "--scope", "everything")


def test_bounces(house: Appliance) -> None:
    assert rows(house, "bounces", "list") == []
    assert rows(house, "bounces", "list", "--of", "ann@example.test") == []
    assert rows(house, "bounces", "show", "bob@example.net") == []
    assert "nothing" in refused(house, 1, "bounces", "clear", "bob@example.net")
    assert "--of" in refused(house, 1, "bounces", "clear")
    refused(house, 1, "bounces", "show", "no address")


def test_a_message_with_too_large_a_header_is_not_imported(
    house: Appliance, tmp_path: Path
) -> None:
    (tmp_path / "one.eml").write_bytes(b"X-Long: y\n" * 120_000 + b"\nhi\n")
    done = run(house, "message", "import", "ann@example.test", str(tmp_path / "one.eml"))
    assert done.code != 0
    assert "header of the message is larger" in done.stderr


def test_messages(house: Appliance, tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_bytes(b"Subject: =?utf-8?q?gr=C3=BCn?=\nFrom: b@x.test\n\nhi\n")
    (tmp_path / "box").write_bytes(
        b"From a@b Mon Jan  1 10:00:00 2001\nReceived: by x; Mon, 1 Jan 2001 10:00:00 +0100\n"
        b"Subject: two\n\n>From there\n\nFrom c@d Mon Jan  1 10:00:00 2001\nSubject: three\n\nx\n"
    )
    files = [str(tmp_path / "one.eml"), str(tmp_path / "box")]
    words = ("message", "import", "ann@example.test", *files, "--mailbox", "Archive")
    stored = rows(house, *words, "--keyword", "\\Seen")
    assert [row["mailbox"] for row in stored] == ["Archive"] * 3
    shown = rows(house, "message", "list", "ann@example.test", "--mailbox", "Archive")
    assert [row["subject"] for row in shown] == ["grün", "two", "three"]
    assert shown[1]["received"] == "2001-01-01T09:00:00+00:00"
    assert all(row["flags"] == ["\\Seen"] for row in shown)
    assert verb(house, "message", "raw", shown[1]["id"]) == (
        b"Received: by x; Mon, 1 Jan 2001 10:00:00 +0100\r\nSubject: two\r\n\r\nFrom there\r\n"
    )
    passport = rows(house, "message", "show", shown[1]["id"])
    assert passport["evidence"][0]["facts"]["source"] == "box #1"
    assert "box #1" in verb(house, "message", "show", shown[1]["id"]).decode()
    mailboxes = {row["name"]: row for row in rows(house, "mailbox", "list", "ann@example.test")}
    assert mailboxes["Archive"]["messages"] == 3
    assert mailboxes["Archive"]["role"] == "archive"
    refused(house, 1, "message", "show", "m999999")
    refused(house, 1, "message", "raw", "x")
    refused(house, 1, "message", "list", "ann@example.test", "--mailbox", "Nowhere")
    refused(house, 1, "mailbox", "list", "nobody@example.test")


def test_what_cannot_be_a_message_is_passed_over(house: Appliance, tmp_path: Path) -> None:
    (tmp_path / "nul").write_bytes(b"Subject: nul\n\n" + b"x" * 200_000 + b"\0" + b"y" * 200_000)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "good").write_bytes(b"Subject: good\r\n\r\nbare\rcr\r\n")
    files = [str(tmp_path / name) for name in ("nul", "empty", "good")]
    done = run(house, "message", "import", "ann@example.test", *files, "--json")
    assert done.code == 1
    assert done.stderr.splitlines() == [
        "mailbox-server: nul: the message holds a NUL",
        "mailbox-server: empty: the message is empty",
    ]
    (stored,) = json.loads(done.stdout)
    raw = verb(house, "message", "raw", stored["id"])
    assert raw == b"Subject: good\r\n\r\nbare\rcr\r\n"
    words = ("message", "import", "ann@example.test", str(tmp_path / "good"))
    assert "no mailbox" in refused(house, 1, *words, "--mailbox", "Nowhere")
    refused(house, 1, *words, "--keyword", "\\Recent")
    refused(house, 2, "message", "import", "ann@example.test", str(tmp_path / "missing"))


def test_the_store(house: Appliance) -> None:
    assert rows(house, "store", "check", "--deep") == []
    assert b"sound" in verb(house, "store", "check")
    (index,) = rows(house, "store", "reindex")
    assert index["behind"] == 0
    (status,) = rows(house, "store", "status")
    assert status["messages"] == index["messages"]
    assert (status["sampled"], status["documents_sampled"]) == (None, None)
    assert verb(house, "store", "status").decode().splitlines()[2:] == [
        "search index last sampled: never",
        "attached texts last sampled: never",
    ]
    assert b"INDEXED" in verb(house, "store", "reindex")
    if (house.data / "control").exists():
        assert "stop it first" in refused(house, 1, "store", "migrate")
    else:
        assert b"up to date" in verb(house, "store", "migrate")


def test_an_argument_that_is_not_utf8(house: Appliance) -> None:
    assert "UTF-8" in refused(house, 1, "account", "add", os.fsdecode(b"\xff@a.b"), "--no-password")


def test_a_reader_that_goes_away_leaves_no_trace(house: Appliance, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"Subject: large\n\n" + (b"x" * 98 + b"\r\n") * 20_000)
    words = ("message", "import", "ann@example.test", str(tmp_path / "large"))
    (stored,) = rows(house, *words)
    command = house.command("message", "raw", stored["id"])
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=house.surroundings()
    ) as raw:
        assert raw.stdout is not None and raw.stderr is not None
        assert raw.stdout.readline() == b"Subject: large\r\n"
        raw.stdout.close()
        said = raw.stderr.read()
    assert raw.returncode == 1
    assert said == b""


def test_what_is_hidden_from_whom(house: Appliance) -> None:
    listed = rows(house, "config", "switches")
    office = next(row for row in listed if row["whom"] == "client microsoft office 365")
    assert (office["protocol"], office["deed"]) == ("imap", "hidden")
    assert office["capabilities"] == ["UIDONLY"]
    assert "#49" in office["reason"]
    assert b"microsoft office 365" in verb(house, "config", "switches")
