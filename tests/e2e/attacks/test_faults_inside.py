"""Whatever breaks inside, peers read that it is temporary, and nothing of its text.

A bomb is put at every method of the store and of what the protocols ask, one at a time, while
a conversation of each protocol goes over it: 451 4.3.0, NO [SERVERBUG], -ERR [SYS/TEMP], or
the end of a response that had begun.  Afterwards everything works as before.
"""

import asyncio
import base64
import inspect
import itertools
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import pytest_asyncio

from mailbox_server.auth.authenticator import Authenticator
from mailbox_server.auth.known_networks import KnownNetworks as SeenNetworks
from mailbox_server.auth.passwords import Passwords
from mailbox_server.auth.throttle import Throttle
from mailbox_server.delivery.intake import Intake
from mailbox_server.delivery.receiving import Arrival, Receiver
from mailbox_server.delivery.submitting.ownership import Ownership
from mailbox_server.delivery.submitting.submission import Submission
from mailbox_server.delivery.submitting.submitter import Submitter
from mailbox_server.imap.views.selected_view import SessionView
from mailbox_server.imap.views.shared_views import SharedViews
from mailbox_server.mime.scanner import Scanner
from mailbox_server.pop3.maildrop import Maildrop
from mailbox_server.pop3.retrieval import Retrieval
from mailbox_server.store.access_keys import AccessKeys
from mailbox_server.store.accounts import Accounts
from mailbox_server.store.aliases import Aliases
from mailbox_server.store.annotations import Annotations
from mailbox_server.store.bounces import Bounces
from mailbox_server.store.contents import ContentRepository
from mailbox_server.store.correspondents import Correspondents
from mailbox_server.store.dkim_keys import DkimKeys
from mailbox_server.store.domains import Domains
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.held_messages import HeldMessages
from mailbox_server.store.known_networks import KnownNetworks
from mailbox_server.store.mailboxes import Mailboxes
from mailbox_server.store.messages import Messages
from mailbox_server.store.outbound import OutboundQueue
from mailbox_server.store.passports import Passports
from mailbox_server.store.peer_levels import PeerLevels
from mailbox_server.store.queue import Queue
from mailbox_server.store.receipts import Receipts
from mailbox_server.store.rights import MailboxRights
from mailbox_server.store.search import Search
from mailbox_server.store.staging import ContentStaging, Staged
from mailbox_server.store.sts_policies import StsPolicies
from mailbox_server.store.tls_counts import TlsCounts
from mailbox_server.store.tokens import Tokens
from mailbox_server.store.trail import Trail
from tests.e2e.appliance import PASSWORDS, address
from tests.e2e.attacks.in_process import InProcess, connect, in_process

pytestmark = pytest.mark.asyncio(loop_scope="module")

CANARY: Final = "TheCanaryInside"
REPOSITORIES: Final = (
    AccessKeys,
    Accounts,
    Aliases,
    Annotations,
    Bounces,
    ContentRepository,
    Correspondents,
    DkimKeys,
    Domains,
    HeldMessages,
    KnownNetworks,
    MailboxRights,
    Mailboxes,
    Messages,
    OutboundQueue,
    StsPolicies,
    PeerLevels,
    TlsCounts,
    Passports,
    Queue,
    Receipts,
    Search,
    Tokens,
    Trail,
)
OTHERS: Final[dict[type, tuple[str, ...]]] = {
    SqliteStore: ("read", "begin_read", "write", "glance", "stage", "listen", "room"),
    ContentStaging: ("feed", "drained", "finish"),
    Staged: ("read",),
    Receiver: ("begin", "confirm"),
    Arrival: ("recipient", "begin_content", "feed", "drained", "accept"),
    Submitter: ("begin",),
    Submission: ("recipient", "begin_content", "feed", "drained", "accept"),
    Ownership: ("holds", "some"),
    Scanner: ("feed", "catch_up", "end", "finish"),
    Authenticator: ("authenticate", "stands"),
    Passwords: ("verify",),
    Throttle: ("enter", "succeeded", "delay_seconds"),
    SeenNetworks: ("has", "saw"),
    SharedViews: ("open",),
    Intake: ("feed", "drained", "end", "finish"),
    SessionView: (
        "holds_at_once",
        "refresh",
        "untold",
        "uids",
        "sights",
        "columns",
        "having",
        "told",
        "hush",
        "stored",
        "expunged",
        "close",
    ),
    Maildrop: ("measure",),
    Retrieval: ("open",),
}
HOOKS: Final = [
    *(
        (kind, name)
        for kind in REPOSITORIES
        for name, _ in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    ),
    *((kind, name) for kind, names in OTHERS.items() for name in names),
]
NOT_REACHED: Final = {
    # Verbs of an operator, and SETQUOTA of an administrator.
    "Accounts.add",
    "Accounts.all",
    "Accounts.remove",
    "Accounts.set_administrator",
    "Accounts.set_shared",
    "Accounts.set_credentials",
    "Accounts.set_message_quota",
    "Accounts.set_quota",
    "Accounts.set_state",
    "Aliases.add",
    "Aliases.all",
    "Aliases.remove",
    "DkimKeys.add",
    "DkimKeys.all",
    "DkimKeys.remove",
    "DkimKeys.saw",
    "DkimKeys.set_state",
    "DkimKeys.signing",
    "Domains.add",
    "Domains.all",
    "Domains.remove",
    "Domains.set_catch_all",
    "Messages.about",
    "Passports.of",
    "Tokens.add",
    "Tokens.all",
    "Tokens.certificates",
    "Tokens.revoke",
    # The start of the server, and housekeeping.
    "ContentRepository.release",
    "ContentRepository.release_all",
    "Correspondents.forget_sendings",
    # What is held leaves by a task of its own.
    "HeldMessages.due",
    "HeldMessages.listed",
    "HeldMessages.waits",
    "HeldMessages.put_off",
    "HeldMessages.remove",
    "KnownNetworks.forget",
    "KnownNetworks.since",
    "Messages.forget_tombstones",
    # What becomes of a message after it was stored; nothing yet.
    "Passports.stamp",
    "Receipts.settle",
    "Receipts.since",
    # Mail on its way out, which nobody hands in here.
    *(f"OutboundQueue.{name}" for name in vars(OutboundQueue) if not name.startswith("_")),
    *(f"Bounces.{name}" for name in vars(Bounces) if not name.startswith("_")),
    *(f"Queue.{name}" for name in vars(Queue) if not name.startswith("_")),
    *(f"StsPolicies.{name}" for name in vars(StsPolicies) if not name.startswith("_")),
    *(f"PeerLevels.{name}" for name in vars(PeerLevels) if not name.startswith("_")),
    *(f"TlsCounts.{name}" for name in vars(TlsCounts) if not name.startswith("_")),
    # What an operator traces, and housekeeping.
    *(f"Trail.{name}" for name in vars(Trail) if not name.startswith("_")),
    "Passports.forget",
    # Where clients show certificates.
    "Tokens.holders",
    # Of large content only: see the bomb in the middle of a response.
    "ContentRepository.read",
    # Of mailboxes with more messages than a search looks at sooner; words are for JMAP.
    "Messages.matching_of_little",
    "Search.candidates",
    "Search.mailboxes_of",
    "Search.scored",
    "Search.word_candidates",
    # Once in a while: each hour, every few seconds, after a lost reply, under pressure, for
    # an APPEND that does not come at once.
    "Accounts.get",
    "Accounts.modseq",
    "Accounts.oldest",
    "Arrival.drained",
    "Intake.drained",
    "Authenticator.stands",
    "Mailboxes.by_role",
    "Mailboxes.get",
    "Receipts.is_there",
    "Scanner.catch_up",
    "Throttle.delay_seconds",
    "Tokens.used",
}

FAULTS: Final[tuple[Callable[[], Exception], ...]] = (
    lambda: RuntimeError(CANARY),
    lambda: sqlite3.OperationalError(CANARY),
    lambda: OSError(5, CANARY),
    lambda: KeyError(CANARY),
    lambda: RecursionError(CANARY),
    lambda: MemoryError(CANARY),
    lambda: ValueError(CANARY),
    lambda: UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, CANARY),
    lambda: TimeoutError(CANARY),
    lambda: AssertionError(CANARY),
)

MESSAGE: Final = (
    b"From: a@example.net\r\nTo: ann@example.test\r\nSubject: s\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nwords\r\n--b\r\n"
    b"Content-Type: text/html\r\n\r\n<p>words</p>\r\n--b--\r\n"
)
LARGE: Final = (b"z" * 70 + b"\r\n") * 4_500
_NUMBERS: Final = itertools.count(1)


class Bomb:
    """What stands in place of a method as trap, and goes off when it was called often enough."""

    def __init__(self, stock: Any, fault: Callable[[], Exception], *, spared: int = 0) -> None:
        self.went_off = 0
        self._left = spared

        def called(*arguments: object, **named: object) -> object:
            if not self._goes_off():
                return stock(*arguments, **named)
            raise fault()

        async def waited(*arguments: object, **named: object) -> object:
            if not self._goes_off():
                return await stock(*arguments, **named)
            raise fault()

        self.trap = waited if inspect.iscoroutinefunction(stock) else called

    def _goes_off(self) -> bool:
        self._left -= 1
        if self._left >= 0:
            return False
        self.went_off += 1
        return True


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[InProcess]:
    async with in_process() as running:
        yield running


# ---------------------------------------------------------------- conversations


@dataclass
class Said:
    """What the server said: all of it, and the replies, one a command."""

    octets: bytes = b""
    replies: list[bytes] = field(default_factory=list)

    def add(self, octets: bytes) -> bytes:
        """An answer, whose last line is the reply."""
        self.octets += octets
        lines = octets.splitlines(keepends=True)
        reply = lines[-1] if lines else b""
        self.replies.append(reply)
        return reply


async def send_mail(house: InProcess, service: str) -> Said:
    """One message to ann; gives up where a client would."""
    said = Said()
    line = await connect(house, service)

    async def say(octets: bytes) -> bytes:
        line.writer.write(octets + b"\r\n")
        found = b""
        while (reply := await line.line())[3:4] == b"-":
            found += reply
        return said.add(found + reply)

    await say(b"LHLO c" if service == "lmtp" else b"EHLO c")
    number = next(_NUMBERS)
    # LMTP takes a large message, which needs a file.
    more = LARGE if service == "lmtp" else b""
    if (
        (await say(b"MAIL FROM:<a@example.net>")).startswith(b"250")
        and (await say(b"RCPT TO:<ann+%d@example.test>" % number)).startswith(b"250")
        and (await say(b"DATA")).startswith(b"354")
    ):
        await say(b"Message-ID: <%d@example.net>\r\n" % number + MESSAGE + more + b".")
    await say(b"NOOP")
    await say(b"QUIT")
    line.close()
    return said


async def submit_mail(house: InProcess) -> Said:
    """One message of ann's to herself and to somebody elsewhere, after one that is not hers."""
    said = Said()
    line = await connect(house, "submission")

    async def say(octets: bytes) -> bytes:
        line.writer.write(octets + b"\r\n")
        found = b""
        while (reply := await line.line())[3:4] == b"-":
            found += reply
        return said.add(found + reply)

    login = base64.b64encode(f"\0{address('ann')}\0{PASSWORDS['ann']}".encode())
    await say(b"EHLO c")
    if (
        (await say(b"AUTH PLAIN " + login)).startswith(b"235")
        and (await say(b"MAIL FROM:<bob@example.test>")).startswith(b"550")
        and (await say(b"MAIL FROM:<ann@example.test>")).startswith(b"250")
        and (await say(b"RCPT TO:<ann@example.test>")).startswith(b"250")
        and (await say(b"RCPT TO:<carl@far.example>")).startswith(b"250")
        and (await say(b"DATA")).startswith(b"354")
        and (await say(b"From: ann@example.test\r\n\r\nwords\r\n.")).startswith(b"250")
        and (await say(b"MAIL FROM:<ann@example.test> HOLDFOR=600")).startswith(b"250")
        and (await say(b"RCPT TO:<carl@far.example>")).startswith(b"250")
        and (await say(b"DATA")).startswith(b"354")
    ):
        await say(b"Subject: later\r\n\r\nwords\r\n.")
    await say(b"QUIT")
    line.close()
    return said


async def use_imap(house: InProcess) -> Said:
    """Most of what a client does; goes on after refusals."""
    line, said = await connect(house, "imap"), Said()
    number = next(_NUMBERS)
    for index, command in enumerate(
        (
            f'LOGIN {address("ann")} "{PASSWORDS["ann"]}"',
            'LIST "" *',
            'LSUB "" *',
            f"CREATE made{number}",
            f"SUBSCRIBE made{number}",
            "STATUS INBOX (MESSAGES UIDNEXT UNSEEN)",
            "ENABLE METADATA",
            "NOTIFY SET STATUS (SELECTED (MessageNew (UID) MessageExpunge FlagChange)) "
            "(PERSONAL (MessageNew MessageExpunge MailboxName))",
            f'SETMETADATA made{number} (/private/comment "c" /private/specialuse "\\\\Important")',
            f"GETMETADATA made{number} /private/comment",
            f"SETMETADATA made{number} (/private/specialuse NIL)",
            f"LIST () made{number} (*) RETURN (STATUS (SIZE) METADATA (/private/comment))",
            "GETQUOTAROOT INBOX",
            "SELECT INBOX",
            f"APPEND INBOX (\\Flagged) {{{len(MESSAGE)}+}}\r\n{MESSAGE.decode()}",
            "APPEND INBOX CATENATE (TEXT {5+}\r\na: b\n TEXT {2+}\r\nc\n)",
            "RESETKEY INBOX",
            "GENURLAUTH imap://ann@example.test/INBOX/;UID=1;URLAUTH=authuser INTERNAL",
            f"URLFETCH imap://ann@example.test/INBOX/;UID=1;URLAUTH=authuser:INTERNAL:{'0' * 66}",
            "RESETKEY",
            "NOOP",
            'SETMETADATA "" (/private/filters/values/every "ALL")',
            f"SETACL made{number} anyone lr",
            "FETCH * (UID FLAGS ENVELOPE BODYSTRUCTURE INTERNALDATE RFC822.SIZE)",
            "FETCH * (BODY.PEEK[] BODY.PEEK[1] BODY.PEEK[HEADER.FIELDS (SUBJECT)])",
            "FETCH * BODY[TEXT]",
            "STORE * +FLAGS (\\Answered word)",
            'SEARCH TEXT "words" SUBJECT "s" UNDELETED',
            "SEARCH RETURN (SAVE MIN COUNT) YOUNGER 3600 FILTER every",
            "ESEARCH IN (personal) UNDELETED",
            "SORT (FROM REVERSE DATE) UTF-8 ALL",
            "THREAD REFERENCES UTF-8 $",
            f"COPY * made{number}",
            f"MOVE * made{number}",
            f"RENAME made{number} named{number}",
            f"UNSUBSCRIBE made{number}",
            f"DELETE named{number}",
            "STORE * +FLAGS.SILENT (\\Deleted)",
            "EXPUNGE",
            "UNSELECT",
            "LOGOUT",
        )
    ):
        tag = b"t%d " % index
        reply = said.add(await line.say(tag + command.encode(), tag))
        if not reply.startswith(tag):
            break
    line.close()
    return said


async def use_pop3(house: InProcess) -> Said:
    """Log in with an app password, look at everything and delete the first message."""
    line, said = await connect(house, "pop3"), Said()
    several = ("LIST", "UIDL", "RETR 1", "TOP 1 1")
    for command in (
        f"USER {address('ann')}",
        f"PASS {house.app_password}",
        "STAT",
        *several,
        "DELE 1",
        "QUIT",
    ):
        line.writer.write(command.encode() + b"\r\n")
        reply = said.add(await line.line())
        if reply.startswith(b"+OK") and command in several:
            said.octets += await line.until(b".\r\n")
        if not reply or (command.startswith("PASS") and not reply.startswith(b"+OK")):
            break
    line.close()
    return said


async def converse(house: InProcess) -> dict[str, Said]:
    """Everything once, over all protocols."""
    async with asyncio.timeout(60):
        return {
            "smtp": await send_mail(house, "smtp"),
            "lmtp": await send_mail(house, "lmtp"),
            "submission": await submit_mail(house),
            "imap": await use_imap(house),
            "pop3": await use_pop3(house),
        }


# ---------------------------------------------------------------- what may be said

# For a fault of ours; then what follows from a command before it that did nothing.
IN_TROUBLE: Final = {
    "smtp": (rb"451 4\.3\.0 Something went wrong here", rb"452 4\.3\.1 ", rb"454 4\.7\.0 "),
    "imap": (
        rb"t\d+ NO \[SERVERBUG\] ",
        rb"t\d+ NO \[UNAVAILABLE\] ",
        rb"t\d+ NO \[(NONEXISTENT|TRYCREATE|ALREADYEXISTS|UNDEFINED-FILTER)\b",
        rb"t\d+ BAD (Not in this state|There is no message)",
        rb"\* BYE \[SERVERBUG\] ",
    ),
    # A response that has begun can only be broken off.
    "pop3": (rb"-ERR \[SYS/TEMP\] ", rb"-ERR no such message", rb"\Z"),
}
WELL: Final = {"smtp": rb"[23]\d\d |550 5\.7\.1 ", "imap": rb"t\d+ OK ", "pop3": rb"\+OK "}


def strange(said: dict[str, Said], *, trouble: bool) -> list[tuple[str, bytes]]:
    """Replies that are neither good nor, where there is trouble, what may be said of it."""
    found = []
    for service, each in said.items():
        protocol = "smtp" if service in ("lmtp", "submission") else service
        allowed = (WELL[protocol], *(IN_TROUBLE[protocol] if trouble else ()))
        for reply in each.replies:
            if not any(re.match(pattern, reply) for pattern in allowed):
                found.append((service, reply))
    return found


async def is_well(house: InProcess) -> None:
    """As if nothing had been."""
    said = await converse(house)
    assert strange(said, trouble=False) == []
    assert [len(each.replies) for each in said.values()] == [7, 7, 13, 41, 9]
    assert house.faults() == []


async def test_without_a_bomb_all_goes_well(house: InProcess) -> None:
    await is_well(house)


RAN: set[str] = set()
REACHED: set[str] = set()


@pytest.mark.parametrize(("kind", "name"), HOOKS, ids=[f"{k.__name__}.{n}" for k, n in HOOKS])
async def test_a_bomb(
    house: InProcess, kind: type, name: str, full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for fault in FAULTS if full else FAULTS[:1]:
        bomb = Bomb(inspect.getattr_static(kind, name), fault)
        RAN.add(f"{kind.__name__}.{name}")
        with monkeypatch.context() as patch:
            patch.setattr(kind, name, bomb.trap)
            said = await converse(house)
        assert CANARY.encode() not in b"".join(each.octets for each in said.values())
        assert strange(said, trouble=True) == []
        if bomb.went_off:
            REACHED.add(f"{kind.__name__}.{name}")
        for error in house.faults():
            assert CANARY in repr(error) + repr(error.__cause__)
        # In the short form not after each of them; what one breaks stays broken.
        if bomb.went_off and (full or HOOKS.index((kind, name)) % 5 == 0):
            await is_well(house)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: type(each()).__name__)
async def test_a_bomb_in_the_middle_of_a_response_ends_it_and_the_connection(
    house: InProcess, fault: Callable[[], Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came behind would be taken for a part of the message."""
    octets = b"Subject: large\r\n\r\n" + (b"z" * 70 + b"\r\n") * 60_000
    line = await connect(house, "imap")
    login = f'a LOGIN {address("bob")} "{PASSWORDS["bob"]}"'.encode()
    assert b"a OK" in await line.say(login, b"a ")
    append = b"b APPEND INBOX {%d+}\r\n" % len(octets) + octets
    assert b"b OK" in await line.say(append, b"b ")
    assert b"c OK" in await line.say(b"c SELECT INBOX", b"c ")
    read = ContentRepository.read
    with monkeypatch.context() as patch:
        patch.setattr(ContentRepository, "read", Bomb(read, fault, spared=2).trap)
        cut = await line.say(b"d FETCH 1 BODY.PEEK[]", b"d ")
    assert len(cut) < len(octets)
    assert not cut.splitlines()[-1].startswith(b"d ")
    assert await line.line() == b""
    line.close()
    line = await connect(house, "pop3")
    assert (await line.say(b"USER " + address("bob").encode(), b"")).startswith(b"+OK")
    assert (await line.say(b"PASS " + PASSWORDS["bob"].encode(), b"")).startswith(b"+OK")
    with monkeypatch.context() as patch:
        patch.setattr(ContentRepository, "read", Bomb(read, fault, spared=2).trap)
        cut = await line.say(b"RETR 1", b".\r\n")
    assert cut.startswith(b"+OK") and not cut.endswith(b"\r\n.\r\n"), cut[:80]
    assert CANARY.encode() not in cut
    line.close()
    assert house.faults()
    await is_well(house)


async def test_the_conversations_go_over_nearly_all_of_it(house: InProcess) -> None:
    await is_well(house)
    if {f"{kind.__name__}.{name}" for kind, name in HOOKS} != RAN:
        pytest.skip("only some of the bombs were tried")
    # Whether content has to wait for the disk or the scanner depends on the machine.
    assert RAN - REACHED <= NOT_REACHED
