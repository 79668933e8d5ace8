"""Messages in rows: storing, fetching, searching, copying, moving, expunging, forgetting."""

from collections.abc import Sequence

import pytest
import sqlalchemy as sa

from mailbox_server.mime.message import analyze
from mailbox_server.mime.scanner import scan
from mailbox_server.model.errors import (
    AccountMissing,
    ContentMissing,
    MailboxMissing,
    OverQuota,
    TooManyKeywords,
)
from mailbox_server.model.ids import AccountId, ContentId, MailboxId, MessageId, ModSeq
from mailbox_server.model.message import InternalDate, Target
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store import expunges
from mailbox_server.store.live_placements import keyword_sets_of, live_among
from mailbox_server.store.ports import (
    Column,
    Copied,
    Edit,
    Expunged,
    FlagChange,
    NewMessage,
    QuotaRule,
    TextCriterion,
    TextScope,
)
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.schema.contents import content
from tests.contract.workbench import BEN, Workbench, analysis


def uids(bench: Workbench, mailbox: MailboxId) -> list[int]:
    return list(bench.read(lambda tx: tx.messages.view(mailbox)).uids)


def usage(bench: Workbench, account: AccountId) -> tuple[int, int]:
    found = bench.read(lambda tx: tx.accounts.usage(account))
    return found.messages, found.octets


def _changed(bench: Workbench, mailbox: MailboxId) -> int:
    return bench.read(lambda tx: tx.messages.view(mailbox)).modseqs[0]


def test_every_column_comes_back_as_it_was_given(bench: Workbench) -> None:
    account = bench.open_account()
    inbox = bench.mailbox(account)
    listed = b"Sender: a@example.org\r\nSubject: hello\r\n"
    what = analysis(subject="hello", listed=listed, header_octets=9)
    placed = bench.deliver(account, what=what, octets=b"12345", trace=b"trace")[0]
    expected = {
        Column.MESSAGE: placed.message,
        Column.KEYWORD_SET: 0,
        Column.DELETED: 0,
        Column.CHANGED: _changed(bench, inbox.id),
        Column.THREAD: placed.thread,
        Column.CONTENT: 1,
        Column.SIZE: 10,
        Column.TRACE: b"trace",
        Column.RECEIVED: 1_700_000_001,
        Column.ZONE: 60,
        Column.DATED: b'"14-Nov-2023 23:13:21 +0100"',
        Column.SAVED: int(bench.now.timestamp()),
        Column.SENT: 1_600_000_000,
        Column.SENT_DAY: 18_518,
        Column.HEADER_OCTETS: 9,
        Column.PARTS: b"parts",
        Column.ENVELOPE: b"envelope of hello",
        Column.BODY: b"body",
        Column.BODY_STRUCTURE: b"structure",
        Column.LISTED: b"Subject: hello\r\n",
        Column.LISTED_REST: b"Sender: a@example.org\r\n",
        Column.LISTED_ORDER: b"\0\1",
        Column.ENDS_LINE: 0,
        Column.PREVIEW: "preview",
        Column.SUBJECT_BASE: "hello",
    }
    assert set(expected) == set(Column)
    for column, value in expected.items():
        rows = bench.read(lambda tx, column=column: tx.messages.rows(inbox.id, [1], [column]))
        assert rows == [(1, value)]
    everything = bench.read(lambda tx: tx.messages.rows(inbox.id, [1], list(expected)))
    assert everything == [(1, *expected.values())]


def test_rows_leave_out_what_never_was(bench: Workbench) -> None:
    account = bench.open_account()
    inbox = bench.mailbox(account)
    for _ in range(5):
        bench.deliver(account)
    wanted = [1, 2, 4, 9, 1 << 32]
    rows = bench.read(lambda tx: tx.messages.rows(inbox.id, wanted, []))
    assert rows == [(1,), (2,), (4,)]
    assert bench.read(lambda tx: tx.messages.rows(inbox.id, [], [Column.SIZE])) == []
    assert bench.read(lambda tx: tx.messages.rows(MailboxId(99), [1], [])) == []


def test_a_last_line_without_its_end_is_known(bench: Workbench) -> None:
    account = bench.open_account()
    inbox = bench.mailbox(account)
    for octets in (b"a\r\n", b"a", b"", b"\r\n\n"):
        bench.deliver(account, octets=octets)
    rows = bench.read(lambda tx: tx.messages.rows(inbox.id, range(1, 5), (Column.ENDS_LINE,)))
    assert rows == [(1, 1), (2, 0), (3, 1), (4, 0)]


def test_one_message_in_two_mailboxes_counts_once(bench: Workbench) -> None:
    account = bench.open_account()
    inbox, work = bench.mailbox(account), bench.mailbox(account, "Work")
    one, two = bench.deliver(account, inbox.id, work.id, octets=b"123", trace=b"")
    assert one.message == two.message and one.thread == two.thread
    assert (one.mailbox, two.mailbox) == (inbox.id, work.id)
    assert (one.uid_validity, two.uid_validity) == (inbox.uid_validity, work.uid_validity)
    assert usage(bench, account) == (1, 3)
    bench.write(lambda tx: tx.messages.remove(inbox.id, [1]))
    assert usage(bench, account) == (1, 3)
    bench.write(lambda tx: tx.messages.remove(work.id, [1]))
    assert usage(bench, account) == (0, 0)


@pytest.mark.parametrize("quota", list(QuotaRule))
def test_quota(bench: Workbench, quota: QuotaRule) -> None:
    account = bench.open_account(quota_octets=10)
    bench.deliver(account, octets=b"1234567", trace=b"abc")
    if quota is QuotaRule.ENFORCE:
        with pytest.raises(OverQuota):
            bench.deliver(account, octets=b"", trace=b"x")
        assert usage(bench, account) == (1, 10)
    else:
        bench.deliver(account, octets=b"", trace=b"x", quota=quota)
        assert usage(bench, account) == (2, 11)


@pytest.mark.parametrize("quota", list(QuotaRule))
def test_a_quota_of_messages(bench: Workbench, quota: QuotaRule) -> None:
    account, other = bench.open_account(), bench.open_account(BEN)
    bench.write(lambda tx: tx.accounts.set_message_quota(account, 2))
    inbox, theirs = bench.mailbox(account), bench.mailbox(other)
    bench.deliver(account)
    bench.deliver(account)
    if quota is QuotaRule.OVERSHOOT:
        bench.deliver(account, quota=quota)
        assert usage(bench, account)[0] == 3
        return
    with pytest.raises(OverQuota):
        bench.deliver(account)
    bench.deliver(other)
    for verb in ("copy", "move"):
        with pytest.raises(OverQuota):
            bench.write(lambda tx, verb=verb: getattr(tx.messages, verb)(theirs.id, [1], inbox.id))
    # Another placement is no other message.
    bench.write(lambda tx: tx.messages.copy(inbox.id, [1, 2], inbox.id))
    assert usage(bench, account)[0] == 2
    bench.write(lambda tx: tx.accounts.set_message_quota(account, 0))
    bench.deliver(account)
    assert usage(bench, account)[0] == 3


def test_refused_messages_leave_nothing(bench: Workbench) -> None:
    account, other = bench.open_account(), bench.open_account(BEN)
    theirs = bench.mailbox(other)
    inbox = bench.mailbox(account)
    modseq = bench.read(lambda tx: tx.accounts.modseq(account))

    def add(owner: AccountId, mailbox: MailboxId, kept: ContentId | None = None) -> None:
        def work(tx: Repositories) -> None:
            new = NewMessage(
                bench.content(b"x") if kept is None else kept,
                b"",
                analysis(),
                InternalDate(1),
                frozenset(),
                (Target(inbox.id), Target(mailbox)),
            )
            tx.messages.add(owner, new, QuotaRule.ENFORCE)

        bench.write(work)

    with pytest.raises(MailboxMissing):
        add(account, theirs.id)
    with pytest.raises(MailboxMissing):
        add(account, MailboxId(999))
    with pytest.raises(ContentMissing):
        add(account, inbox.id, ContentId(999))
    with pytest.raises(AccountMissing):
        add(AccountId(999), inbox.id)
    assert uids(bench, inbox.id) == []
    assert bench.read(lambda tx: tx.accounts.modseq(account)) == modseq


def test_text_that_no_database_takes_is_mended(bench: Workbench) -> None:
    account = bench.open_account()
    inbox = bench.mailbox(account)
    bench.write(
        lambda tx: tx.messages.add(
            account,
            NewMessage(
                bench.content(b"x"),
                b"",
                analysis(text="x\0y\ud800z", header="\0"),
                InternalDate(1),
                frozenset(),
                (Target(inbox.id),),
            ),
            QuotaRule.ENFORCE,
        )
    )
    found = bench.read(
        lambda tx: tx.messages.matching(inbox.id, TextCriterion(TextScope.BODY, "z"), [1])
    )
    assert found == [1]


def test_copy_places_the_same_message_again(bench: Workbench) -> None:
    """RFC 9051 §6.4.7: flags and dates kept; RFC 8474 §5.1: the same EMAILID."""
    account = bench.open_account()
    inbox, work = bench.mailbox(account), bench.mailbox(account, "Work")
    bench.deliver(account, keywords=["\\Seen", "$Work"])
    bench.deliver(account, deleted=True)
    bench.deliver(account)
    before = bench.read(lambda tx: tx.messages.view(inbox.id))
    bench.turn(hours=1)
    copied = bench.write(lambda tx: tx.messages.copy(inbox.id, [1, 2, 7], work.id))
    assert copied == Copied(work.uid_validity, UidSet.of([1, 2]), UidSet.of([1, 2]))
    again = bench.write(lambda tx: tx.messages.copy(inbox.id, [1], work.id))
    assert again == Copied(work.uid_validity, UidSet.of([1]), UidSet.of([3]))
    assert bench.flags(work.id) == {
        1: {"\\Seen", "$Work"},
        2: {"\\Deleted"},
        3: {"\\Seen", "$Work"},
    }
    after = bench.read(lambda tx: tx.messages.view(inbox.id))
    assert (after.uids, after.modseqs) == (before.uids, before.modseqs)
    view = bench.read(lambda tx: tx.messages.view(work.id))
    assert list(view.messages) == [before.messages[0], before.messages[1], before.messages[0]]
    rows = bench.read(lambda tx: tx.messages.rows(work.id, [1], [Column.RECEIVED, Column.SAVED]))
    assert rows == [(1, 1_700_000_001, int(bench.now.timestamp()))]
    assert usage(bench, account)[0] == 3


def test_copy_of_nothing_is_nothing(bench: Workbench) -> None:
    account = bench.open_account()
    inbox, work = bench.mailbox(account), bench.mailbox(account, "Work")
    modseq = bench.read(lambda tx: tx.accounts.modseq(account))
    for verb in ("copy", "move"):
        done = bench.write(lambda tx, verb=verb: getattr(tx.messages, verb)(inbox.id, [5], work.id))
        assert done == Copied(work.uid_validity, UidSet(), UidSet())
        for source, goal in ((inbox.id, MailboxId(99)), (MailboxId(99), inbox.id)):
            with pytest.raises(MailboxMissing):
                bench.write(
                    lambda tx, verb=verb, source=source, goal=goal: getattr(tx.messages, verb)(
                        source, [1], goal
                    )
                )
    assert bench.read(lambda tx: tx.accounts.modseq(account)) == modseq


def test_move_leaves_one_placement(bench: Workbench) -> None:
    account = bench.open_account()
    inbox, work = bench.mailbox(account), bench.mailbox(account, "Work")
    placed = bench.deliver(account, keywords=["$Work"])[0]
    bench.deliver(account)
    before = bench.read(lambda tx: tx.mailboxes.get(inbox.id)).highest_modseq
    moved = bench.write(lambda tx: tx.messages.move(inbox.id, [1, 3], work.id))
    assert (moved.sources, moved.targets) == (UidSet.of([1]), UidSet.of([1]))
    assert moved.gone == Expunged(UidSet.of([1]), ModSeq(before), ModSeq(before + 1))
    assert uids(bench, inbox.id) == [2]
    view = bench.read(lambda tx: tx.messages.view(work.id))
    assert list(view.messages) == [placed.message]
    facts = bench.read(lambda tx: tx.messages.about(placed.message))
    assert facts is not None and facts.places == ((work.id, 1),)


def test_move_into_the_same_mailbox_gives_new_uids(bench: Workbench) -> None:
    account = bench.open_account()
    inbox = bench.mailbox(account)
    for _ in range(3):
        bench.deliver(account, keywords=["\\Seen"])
    moved = bench.write(lambda tx: tx.messages.move(inbox.id, [1, 3], inbox.id))
    assert (moved.sources, moved.targets) == (UidSet.of([1, 3]), UidSet.of([4, 5]))
    assert moved.gone is None
    assert uids(bench, inbox.id) == [2, 4, 5]
    assert usage(bench, account)[0] == 3


def test_a_copy_in_another_account_is_a_message_of_its_own(bench: Workbench) -> None:
    account, other = bench.open_account(), bench.open_account(BEN)
    inbox, theirs = bench.mailbox(account), bench.mailbox(other)
    root = bench.deliver(other, what=analysis(subject="s", message_id="root@x"))[0]
    what = analysis(subject="s", message_id="child@x", references=["root@x"], text="needle")
    mine = bench.deliver(account, what=what, keywords=["$Work", "\\Seen"])[0]
    bench.write(lambda tx: tx.messages.copy(inbox.id, [1], inbox.id))
    copied = bench.write(lambda tx: tx.messages.copy(inbox.id, [1, 2], theirs.id))
    assert list(copied.targets) == [2, 3]
    view = bench.read(lambda tx: tx.messages.view(theirs.id))
    assert view.messages[1] == view.messages[2] != mine.message
    assert bench.flags(theirs.id)[3] == {"$Work", "\\Seen"}
    thread = bench.read(lambda tx: tx.messages.rows(theirs.id, [2], [Column.THREAD]))
    assert thread == [(2, root.thread)]
    columns = [Column.CONTENT, Column.ENVELOPE, Column.RECEIVED, Column.DATED, Column.SIZE]
    assert (
        bench.read(lambda tx: tx.messages.rows(inbox.id, [1], columns))[0][1:]
        == bench.read(lambda tx: tx.messages.rows(theirs.id, [2], columns))[0][1:]
    )
    bench.write(
        lambda tx: tx.messages.change_flags(inbox.id, [1], FlagChange(Edit.REPLACE, frozenset()))
    )
    assert bench.flags(theirs.id)[2] == {"$Work", "\\Seen"}
    moved = bench.write(lambda tx: tx.messages.move(inbox.id, [1], theirs.id))
    assert list(moved.targets) == [4]
    assert uids(bench, inbox.id) == [2]


def test_a_copy_in_another_account_keeps_to_its_quota(bench: Workbench) -> None:
    account, other = bench.open_account(), bench.open_account(BEN, quota_octets=10)
    inbox, theirs = bench.mailbox(account), bench.mailbox(other)
    bench.deliver(account, octets=b"123456", trace=b"")
    bench.deliver(account, octets=b"123456", trace=b"")
    for verb in ("copy", "move"):
        with pytest.raises(OverQuota):
            bench.write(
                lambda tx, verb=verb: getattr(tx.messages, verb)(inbox.id, [1, 2], theirs.id)
            )
    assert uids(bench, theirs.id) == []
    assert uids(bench, inbox.id) == [1, 2]


def test_expunge_takes_what_is_deleted_only(bench: Workbench) -> None:
    account = bench.open_account()
    inbox = bench.mailbox(account)
    for number in range(6):
        bench.deliver(account, deleted=number % 2 == 0)
    gone = bench.write(lambda tx: tx.messages.expunge(inbox.id, [1, 2, 3]))
    assert gone.uids == UidSet.of([1, 3])
    assert bench.write(lambda tx: tx.messages.expunge(inbox.id)).uids == UidSet.of([5])
    assert not bench.write(lambda tx: tx.messages.expunge(inbox.id)).uids
    assert uids(bench, inbox.id) == [2, 4, 6]
    assert bench.write(lambda tx: tx.messages.remove(inbox.id, [1, 2, 9])) == UidSet.of([2])
    assert bench.read(lambda tx: tx.mailboxes.get(inbox.id)).uid_next == 7


def test_expunge_goes_in_steps(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailbox_server.store.expunges.STEP", 2)
    account = bench.open_account()
    inbox = bench.mailbox(account)
    for _ in range(5):
        bench.deliver(account, deleted=True)
    steps = [len(bench.write(lambda tx: tx.messages.expunge(inbox.id)).uids) for _ in range(4)]
    assert steps == [2, 2, 1, 0]


def test_an_untold_expunge_is_still_fetched(bench: Workbench) -> None:
    """store.md §6: FETCH and SEARCH of it go on until the message is forgotten."""
    account = bench.open_account()
    inbox = bench.mailbox(account)
    what = analysis(subject="s", text="needle", listed=b"Subject: s\r\n")
    placed = bench.deliver(account, what=what)[0]
    expunged_at = bench.now
    bench.write(lambda tx: tx.messages.remove(inbox.id, [1]))
    columns = [Column.ENVELOPE, Column.CONTENT]
    body = TextCriterion(TextScope.BODY, "needle")
    assert bench.forget_destroyed(expunged_at) == 0
    assert len(bench.read(lambda tx: tx.messages.rows(inbox.id, [1], columns))) == 1
    assert bench.read(lambda tx: tx.messages.matching(inbox.id, body, [1])) == [1]
    bench.turn(hours=1)
    assert bench.forget_destroyed(bench.now) == 1
    assert bench.forget_destroyed(bench.now) == 0
    for column in columns:
        rows = bench.read(lambda tx, column=column: tx.messages.rows(inbox.id, [1], [column]))
        assert rows == []
    assert bench.read(lambda tx: tx.messages.about(placed.message)) is None
    assert bench.read(lambda tx: tx.messages.matching(inbox.id, body, [1])) == []
    assert bench.read(lambda tx: tx.sql.rows(sa.select(content.c.holders))) == [(0,)]


def test_about_one_message(bench: Workbench) -> None:
    account = bench.open_account()
    inbox, work = bench.mailbox(account), bench.mailbox(account, "Work")
    what = analysis(listed=None)
    one, two = bench.deliver(account, inbox.id, work.id, what=what, octets=b"1", trace=b"23")
    facts = bench.read(lambda tx: tx.messages.about(one.message))
    assert facts is not None
    assert (facts.account, facts.thread, facts.size) == (account, one.thread, 3)
    assert facts.trace == b"23" and facts.listed is None
    assert facts.received == InternalDate(1_700_000_001, 60)
    assert facts.places == ((inbox.id, one.uid), (work.id, two.uid))
    assert bench.read(lambda tx: tx.messages.about(MessageId(99))) is None


CONTENT = b"X-Odd: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nbody"
SEARCHED = analysis(
    listed=b"From: =?utf-8?q?J=C3=B6rg?= <j@example.org>\r\nTo: ann@example.org\r\n"
    b"Subject: The Stra\xc3\x9fe\r\n  is long\r\nBcc:\r\n",
    header="jörg\nthe strasse is long",
    text="some body text with café in it",
    header_octets=len(CONTENT) - len(b"body"),
)


@pytest.mark.parametrize(
    ("scope", "needle", "field", "found"),
    [
        (TextScope.FROM, "JÖRG", "", True),
        (TextScope.FROM, "ann", "", False),
        (TextScope.TO, "ANN@", "", True),
        (TextScope.CC, "ann", "", False),
        (TextScope.BCC, "", "", True),
        (TextScope.CC, "", "", False),
        (TextScope.SUBJECT, "strasse is", "", True),
        (TextScope.SUBJECT, "STRASSE  IS LONG", "", True),
        (TextScope.HEADER, "", "subject", True),
        (TextScope.HEADER, "", "x-none", False),
        (TextScope.HEADER, "grüsse", "X-ODD", True),
        (TextScope.HEADER, "grusse", "X-ODD", False),
        (TextScope.HEADER, "mx.example", "received", True),
        (TextScope.HEADER, "x", "näme", False),
        (TextScope.BODY, "CAFÉ", "", True),
        (TextScope.BODY, "jörg", "", False),
        (TextScope.BODY, "", "", True),
        (TextScope.TEXT, "jörg", "", True),
        (TextScope.TEXT, "café in", "", True),
        (TextScope.TEXT, "jörg the", "", False),
        # The whole header, names and trace included (RFC 9051 §6.4.4).
        (TextScope.TEXT, "GRÜSSE", "", True),
        (TextScope.TEXT, "x-odd: grüsse", "", True),
        (TextScope.TEXT, "x-odd:", "", True),
        (TextScope.TEXT, "mx.example", "", True),
        (TextScope.TEXT, "received", "", True),
        (TextScope.TEXT, "mx.example x-odd", "", False),
        (TextScope.TEXT, "=?utf-8", "", False),
        (TextScope.TEXT, "no such words", "", False),
    ],
)
@pytest.mark.parametrize("is_listed", [True, False])
def test_matching(
    bench: Workbench, scope: TextScope, needle: str, field: str, found: bool, is_listed: bool
) -> None:
    account = bench.open_account()
    inbox = bench.mailbox(account)
    octets, what = CONTENT, SEARCHED
    if not is_listed:
        # Too many fields to list: they are in the content all the same.
        listed = SEARCHED.listed_fields
        assert listed is not None
        octets = listed.first + listed.rest + CONTENT
        what = analysis(
            listed=None,
            header=SEARCHED.search_header,
            text=SEARCHED.search_text,
            header_octets=len(octets) - len(b"body"),
        )
    bench.deliver(account)
    bench.deliver(account, what=what, octets=octets, trace=b"Received: by mx.example\r\n")
    criterion = TextCriterion(scope, needle, field)
    matched = bench.read(lambda tx: tx.messages.matching(inbox.id, criterion, [1, 2, 3]))
    assert (2 in matched) is found


def test_matching_looks_into_the_content_of_cut_texts(bench: Workbench) -> None:
    """RFC 9051 §6.4.4: what is beyond the stored text is found all the same, in copies too."""
    account, other = bench.open_account(), bench.open_account(BEN)
    inbox, away = bench.mailbox(account), bench.mailbox(other)
    content = b"Subject: k\r\n\r\n" + b"filler words here \r\n" * 200_000 + b"needle\r\natend"
    structure, header = scan(content)
    what = analyze(structure, header, lambda start, length: content[start : start + length])
    assert what.text_is_cut
    bench.deliver(account)
    bench.deliver(account, what=what, octets=content)
    bench.write(lambda tx: tx.messages.copy(inbox.id, [2], away.id))
    for mailbox, uid in ((inbox, 2), (away, 1)):
        for scope in (TextScope.BODY, TextScope.TEXT):
            for needle, is_found in (("Needle atend", True), ("here needle", True), ("x", False)):
                criterion = TextCriterion(scope, needle, "")
                found = bench.read(
                    lambda tx, mailbox=mailbox, criterion=criterion: tx.messages.matching(
                        mailbox.id, criterion, [1, 2]
                    )
                )
                assert found == ([uid] if is_found else [])


def test_keywords_a_mailbox_are_limited(bench: Workbench) -> None:
    """store.md §6: at most 500 different ones, and room again when they are gone."""
    account = bench.open_account()
    inbox, work = bench.mailbox(account), bench.mailbox(account, "Work")
    many = [f"k{number}" for number in range(500)]
    bench.deliver(account, keywords=many)
    bench.deliver(account)
    more = FlagChange(Edit.ADD, frozenset({"one-more"}))
    system = FlagChange(Edit.ADD, frozenset({"\\Flagged", "K7"}))
    with pytest.raises(TooManyKeywords):
        bench.write(lambda tx: tx.messages.change_flags(inbox.id, [2], more))
    with pytest.raises(TooManyKeywords):
        bench.deliver(account, keywords=["one-more"])
    bench.write(lambda tx: tx.messages.change_flags(inbox.id, [2], system))
    assert bench.flags(inbox.id)[2] == {"\\Flagged", "k7"}
    bench.deliver(account, work.id, keywords=["one-more"])
    for verb in ("copy", "move"):
        with pytest.raises(TooManyKeywords):
            bench.write(lambda tx, verb=verb: getattr(tx.messages, verb)(work.id, [1], inbox.id))
    bench.write(lambda tx: tx.messages.remove(inbox.id, [1]))
    bench.write(lambda tx: tx.messages.change_flags(inbox.id, [2], more))
    bench.write(lambda tx: tx.messages.copy(work.id, [1], inbox.id))


def test_messages_apart_are_looked_at_once_for_all_that_a_copy_must_know(
    bench: Workbench,
) -> None:
    """Another look at each, for its keywords, took a quarter of the time of COPY."""
    account = bench.open_account()
    inbox = bench.mailbox(account)
    for number in range(6):
        bench.deliver(account, keywords=[(), ("\\Seen",), ("$a",)][number % 3])
    apart = bench.read(lambda _: live_among(bench.sql, account, inbox.id, [1, 3, 5]))
    together = bench.read(lambda _: live_among(bench.sql, account, inbox.id, [1, 2, 3]))
    assert apart.keyword_sets is not None and len(apart.keyword_sets) == 3
    assert together.keyword_sets is None
    assert apart.keyword_sets == bench.read(
        lambda _: keyword_sets_of(bench.sql, inbox.id, together)
    )


def test_a_dear_expunge_goes_in_shorter_steps(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a large account, where the copies stand as they were made one by one."""
    monkeypatch.setattr(expunges, "_SMALL_ACCOUNT", 0)
    monkeypatch.setattr(expunges, "DEAR_STEP", 3)
    account = bench.open_account()
    inbox, work = bench.mailbox(account).id, bench.mailbox(account, "Work").id
    for _ in range(70):
        bench.deliver(account)
    for uid in (1, 40, 2, 41, 3, 42, 4, 43):
        bench.write(lambda tx, uid=uid: tx.messages.copy(inbox, [uid], work))
        bench.write(lambda tx, uid=uid: tx.messages.remove(inbox, [uid]))
    flag = FlagChange(Edit.ADD, frozenset(["\\Deleted"]))
    bench.write(lambda tx: tx.messages.change_flags(work, range(1, 9), flag))

    def step(within: Sequence[int] | None) -> tuple[list[int], bool]:
        gone = bench.write(lambda tx: tx.messages.expunge(work, within))
        return list(gone.uids), gone.is_part

    assert step([2, 4, 5, 6, 7, 8]) == ([2, 4, 5], True)
    assert step([2, 4, 5, 6, 7, 8]) == ([6, 7, 8], False)
    assert step(None) == ([1, 3], False)
    bench.turn(days=1)
    assert bench.forget_destroyed(bench.now) == 8
