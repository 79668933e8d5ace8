"""Mail programs do a whole job of theirs over TLS: read, flag, file, search, delete."""

import imaplib
import json
import os
import subprocess
from pathlib import Path
from typing import Final

import pytest
from imapclient import IMAPClient

from tests.e2e.appliance import PASSWORDS, Appliance, address
from tests.e2e.mail import TRICKY, imap, trust
from tests.e2e.peers.programs import need, run, run_on_terminal

HERE: Final = Path(__file__).parent


def _message(number: int, subject: bytes = b"") -> bytes:
    octets = TRICKY.replace(b"tricky@", b"program-%d@" % number)
    return octets.replace(b"with dots", subject) if subject else octets


def _fill(appliance: Appliance, name: str, *subjects: bytes) -> imaplib.IMAP4_SSL:
    """A client that has made the mailbox, with a message of each subject."""
    client = imap(appliance)
    assert client.create(name)[0] == "OK"
    for number, subject in enumerate(subjects, 1):
        client.append(name, "", None, _message(number, subject))
    return client


def _subjects(client: imaplib.IMAP4, name: str) -> list[tuple[bytes, frozenset[bytes]]]:
    """The last word of each subject, and its message's flags."""
    assert client.select(name)[0] == "OK"
    _, data = client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    found = []
    for part in data:
        if isinstance(part, tuple):
            flags = part[0].split(b"FLAGS (", 1)[1].split(b")", 1)[0].split()
            found.append((part[1].split()[-1], frozenset(flags) - {rb"\Recent"}))
    return found


@pytest.mark.parametrize("program", ["mutt", "neomutt"])
def test_mutt_searches_flags_files_and_deletes(
    appliance: Appliance, program: str, tmp_path: Path
) -> None:
    path, name = need(program), f"Of-{program}"
    client = _fill(appliance, name, b"first", b"second", b"third", b"fourth")
    client.create(f"{name}-kept")
    server = f"imaps://localhost:{appliance.ports['imaps']}"
    (tmp_path / "muttrc").write_text(
        f'set imap_user="{address("ann")}"\nset imap_pass="{PASSWORDS["ann"]}"\n'
        f'set certificate_file="{appliance.authority}"\nset ssl_verify_host=no\n'
        f"set ssl_force_tls=yes\nset delete=yes\nset move=no\nset quit=yes\nset wait_key=no\n"
        f"set header_cache=\nset message_cachedir=\nset sleep_time=0\nset beep=no\n"
        f"set folder={server}/\nset spoolfile=\nset resolve=no\nset sort=mailbox-order\n"
        f"set confirmappend=no\nset confirmcreate=no\nset imap_condstore=yes\n"
        f"set imap_qresync=yes\nset mark_old=no\n"
        # The server searches for the header, and for the text.
        f"push \"<limit>=h 'subject: second'<enter><first-entry><flag-message>"
        f"<limit>all<enter>3<enter><save-message>={name}-kept<enter>"
        f'4<enter><delete-message><sync-mailbox><exit>"\n'
    )
    run_on_terminal(
        path, "-F", str(tmp_path / "muttrc"), "-f", f"{server}/{name}",
        environment={"TERM": "xterm", "HOME": str(tmp_path)},
    )  # fmt: skip
    left = _subjects(client, name)
    assert [subject for subject, _ in left] == [b"first", b"second"]
    assert [rb"\Flagged" in flags for _, flags in left] == [False, True]
    assert [subject for subject, _ in _subjects(client, f"{name}-kept")] == [b"third"]
    client.logout()


def test_imapfilter_files_by_what_messages_say(appliance: Appliance, tmp_path: Path) -> None:
    imapfilter = need("imapfilter")
    client = _fill(appliance, "Filter", b"urgent", b"advertisement", b"news", b"urgent")
    client.create("Filter-urgent")
    (tmp_path / "config.lua").write_text(
        "options.timeout = 30\noptions.expunge = true\noptions.subscribe = true\n"
        f"account = IMAP {{ server = 'localhost', port = {appliance.ports['imaps']},\n"
        f"  username = '{address('ann')}', password = '{PASSWORDS['ann']}', ssl = 'auto' }}\n"
        "box = account['Filter']\n"
        "exists, recent, unseen, next = box:check_status()\n"
        "assert(exists == 4 and unseen == 4 and next == 5)\n"
        "urgent = box:contain_subject('urgent') * box:contain_body('leading dot')\n"
        "urgent:mark_flagged()\n"
        "urgent:move_messages(account['Filter-urgent'])\n"
        "unwanted = box:match_header('advertisement') + box:is_larger(1000000)\n"
        "unwanted:delete_messages()\n"
        "assert(#box:is_unseen() == 1)\n"
        "box:contain_subject('news'):mark_seen()\n"
    )
    run(
        imapfilter, "-c", str(tmp_path / "config.lua"), "-t", str(appliance.authority),
        environment={"HOME": str(tmp_path)},
    )  # fmt: skip
    assert _subjects(client, "Filter") == [(b"news", frozenset({rb"\Seen"}))]
    flagged = (b"urgent", frozenset({rb"\Flagged"}))
    assert _subjects(client, "Filter-urgent") == [flagged, flagged]
    client.logout()


def test_imapfilter_waits_for_mail(appliance: Appliance, tmp_path: Path) -> None:
    imapfilter = need("imapfilter")
    client = _fill(appliance, "Waiting")
    (tmp_path / "config.lua").write_text(
        "options.timeout = 30\n"
        f"account = IMAP {{ server = 'localhost', port = {appliance.ports['imaps']},\n"
        f"  username = '{address('ann')}', password = '{PASSWORDS['ann']}', ssl = 'auto' }}\n"
        "assert(account['Waiting']:enter_idle())\n"
        "assert(#account['Waiting']:select_all() > 0)\n"
    )
    waiting = subprocess.Popen(
        [imapfilter, "-c", str(tmp_path / "config.lua"), "-t", str(appliance.authority)],
        env=os.environ | {"HOME": str(tmp_path)},
    )
    # What comes before it idles is nothing new to it: so mail goes on coming.
    for number in range(60):
        client.append("Waiting", "", None, _message(number))
        try:
            assert waiting.wait(1) == 0
        except subprocess.TimeoutExpired:
            continue
        break
    waiting.kill()
    assert waiting.wait() == 0
    client.logout()


def test_imapclient_does_everything(appliance: Appliance) -> None:
    context = trust(appliance)
    client = IMAPClient("localhost", appliance.ports["imaps"], ssl_context=context, timeout=30)
    client.login(address("ann"), PASSWORDS["ann"])
    client.id_({"name": "IMAPClient"})
    assert client.namespace().personal == (("", "/"),)
    client.create_folder("Größe")
    client.rename_folder("Größe", "Ein Jahr/Größe")
    client.subscribe_folder("Ein Jahr/Größe")
    assert "Ein Jahr/Größe" in {name for _, _, name in client.list_sub_folders()}
    for number, subject in enumerate((b"b", b"a", b"c"), 1):
        client.append(
            "Ein Jahr/Größe", _message(number, subject), [rb"\Seen"] if number == 2 else []
        )
    assert client.folder_status("Ein Jahr/Größe", ["MESSAGES", "UNSEEN"]) == {
        b"MESSAGES": 3,
        b"UNSEEN": 2,
    }
    client.select_folder("Ein Jahr/Größe")
    assert client.sort("SUBJECT") == [2, 1, 3]
    assert sorted(number for (number,) in client.thread()) == [1, 2, 3]
    assert client.search(["UNSEEN", "BODY", "leading dot"]) == [1, 3]
    assert client.search(["SUBJECT", "Grüße"], "UTF-8") == [1, 2, 3]
    told = client.fetch([1, 3], ["ENVELOPE", "BODYSTRUCTURE", "BODY.PEEK[]"])
    assert [told[uid][b"BODY[]"] for uid in (1, 3)] == [_message(1, b"b"), _message(3, b"c")]
    assert told[1][b"ENVELOPE"].message_id == b"<program-1@example.net>"
    client.set_flags([1], [rb"\Answered", "green"])
    client.remove_flags([1], ["green"])
    assert set(client.get_flags([1])[1]) == {rb"\Answered", rb"\Recent"}
    client.copy([1], "Archive")
    client.move([3], "Archive")
    client.delete_messages([2])
    client.uid_expunge([2])
    assert client.search() == [1]
    client.unselect_folder()
    client.unsubscribe_folder("Ein Jahr/Größe")
    client.delete_folder("Ein Jahr/Größe")
    client.delete_folder("Ein Jahr")
    client.logout()


def test_imapflow_does_everything(appliance: Appliance) -> None:
    """Modules are where MAILBOX_SERVER_TEST_NODE says; `.ci/run` installs them."""
    node, modules = need("node"), os.environ.get("MAILBOX_SERVER_TEST_NODE")
    if not modules:
        pytest.skip("imapflow is not installed")
    said = run(
        node, str(HERE / "imapflow" / "session.cjs"), str(appliance.ports["imaps"]),
        str(appliance.authority), address("ann"), PASSWORDS["ann"], "Flow",
        environment={"NODE_PATH": f"{modules}/node_modules"},
    )  # fmt: skip
    told = json.loads(said)
    assert {"IMAP4REV2", "UTF8=ACCEPT"} <= {name.upper() for name in told["enabled"]}
    assert {"\\Archive", "\\Drafts", "\\Inbox", "\\Junk", "\\Sent", "\\Trash"} <= set(told["roles"])
    assert told["exists"] == 4
    assert told["subjects"] == [[f"flow {n}", "text/plain", ["\\Seen"]] for n in (1, 2, 3, 4)]
    assert (told["text"], told["source"]) == ("Body 2: Grüße\r\n", True)
    assert (told["found"], told["body"], told["flagged"]) == ([2], [1, 2, 3, 4], [1])
    assert ["exists", 5] in told["heard"]
    assert ["flags", ["\\Answered"]] in told["heard"]
    assert ["expunge", 3] in told["heard"]
    assert (told["moved"], told["left"]) == ([1], [2, 4, 5])
    assert told["status"] == [3, 6, 2]
