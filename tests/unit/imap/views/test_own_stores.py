"""What a session's own STOREs leave to tell, and how."""

from array import array

from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.views.flag_classes import FlagClass
from mailbox_server.imap.views.own_stores import OwnStores
from mailbox_server.imap.views.selected import Hushed, ModSeqs, Sight
from mailbox_server.model.ids import ModSeq
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store.ports import Edit, FlagChange, FlagOutcome

KNOWN = [FlagClass(frozenset(), b""), FlagClass(frozenset({"\\Seen"}), b"\\Seen")]
CHANGE = FlagChange(Edit.ADD, frozenset({"\\Seen"}))


def uids(*numbers: int) -> "array[int]":
    return array("I", numbers)


def hushed(*numbers: int, untold: tuple[int, ...] = ()) -> Hushed:
    return Hushed(CHANGE, uids(*numbers), array("B", [0] * len(numbers)), untold)


def outcome(*spared: int) -> FlagOutcome:
    return FlagOutcome(ModSeq(9), UidSet.of(spared))


def test_a_loud_one_is_told_once_with_what_others_changed() -> None:
    own = OwnStores()
    own.made(uids(1, 2, 3), outcome(), None, KNOWN, came_over=True)
    own.made(uids(2, 5), outcome(), None, KNOWN, came_over=False)
    assert own.take({4, 5}, ModSeqs.HIDDEN) == uids(1, 2, 3, 4, 5)
    assert own.is_plain
    assert own.take(set(), ModSeqs.HIDDEN) == uids()


def test_a_silent_one_tells_its_modseq_at_most() -> None:
    for modseqs, told in ((ModSeqs.HIDDEN, uids(2, 3)), (ModSeqs.SHOWN, uids(1, 2, 3))):
        own = OwnStores()
        own.made(uids(1, 2, 3), outcome(2), hushed(1, 2, 3), KNOWN, came_over=True)
        assert own.take({3}, modseqs) == told
        lines = [*own.lines([Sight(uid, uid, uid, b"\\Seen", 9) for uid in told], modseqs, By.UID)]
        assert (
            lines
            == {
                ModSeqs.HIDDEN: [
                    b"* 2 UIDFETCH (FLAGS (\\Seen))\r\n",
                    b"* 3 UIDFETCH (FLAGS (\\Seen))\r\n",
                ],
                ModSeqs.SHOWN: [
                    b"* 1 UIDFETCH (MODSEQ (9))\r\n",
                    b"* 2 UIDFETCH (FLAGS (\\Seen) MODSEQ (9))\r\n",
                    b"* 3 UIDFETCH (FLAGS (\\Seen) MODSEQ (9))\r\n",
                ],
            }[modseqs]
        )
        own.forget()
        assert own.is_plain


def test_where_others_wrote_meanwhile_the_flags_decide() -> None:
    own = OwnStores()
    own.made(uids(1, 2, 3), outcome(), hushed(1, 2, 3, untold=(3,)), KNOWN, came_over=False)
    assert own.take({1, 2, 3}, ModSeqs.HIDDEN) == uids(1, 2, 3)
    assert not own.is_plain
    sights = [
        Sight(1, 1, 1, b"\\Seen \\Recent", 9),
        Sight(2, 2, 2, b"\\Seen $Junk", 9),
        Sight(3, 3, 3, b"\\Seen", 9),
    ]
    assert list(own.lines(sights, ModSeqs.HIDDEN, By.NUMBER)) == [
        b"* 2 FETCH (UID 2 FLAGS (\\Seen $Junk))\r\n",
        b"* 3 FETCH (UID 3 FLAGS (\\Seen))\r\n",
    ]


def test_what_a_fetch_told_is_not_told_again() -> None:
    own = OwnStores()
    sight = Sight(1, 1, 1, b"", 9)
    own.fetched([sight])
    assert not own.is_plain
    assert list(own.lines([sight], ModSeqs.HIDDEN, By.NUMBER)) == []
    newer = sight._replace(modseq=10)
    told = list(own.lines([newer], ModSeqs.SHOWN, By.NUMBER))
    assert told == [b"* 1 FETCH (UID 1 FLAGS () MODSEQ (10))\r\n"]


def test_a_loud_one_is_told_though_it_changed_nothing_that_was_read() -> None:
    """RFC 9051 §6.4.6: NOTIFY may have answered for the message since all was told."""
    own = OwnStores()
    own.fetched([Sight(1, 1, 1, b"\\Seen", 9)])
    own.made(uids(1), outcome(), None, KNOWN, came_over=True)
    assert own.take(set(), ModSeqs.HIDDEN) == uids(1)
    [line] = own.lines([Sight(1, 1, 1, b"\\Seen", 9)], ModSeqs.HIDDEN, By.UID)
    assert line == b"* 1 UIDFETCH (FLAGS (\\Seen))\r\n"
