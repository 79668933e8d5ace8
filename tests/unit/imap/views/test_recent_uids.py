"""What is \\Recent in one session."""

from mailbox_server.imap.views.recent_uids import RecentUids


def test_what_comes_one_after_the_other_is_one_range() -> None:
    recent = RecentUids(1, 1)
    assert recent.ranges == []
    for uid in range(4, 1_000):
        recent.add(uid, uid + 1)
    assert recent.ranges == [(4, 1_000)]
    recent.add(1_002, 1_003)
    assert recent.ranges == [(4, 1_000), (1_002, 1_003)]
    assert recent.touch(999, 1_001)
    assert not recent.touch(1_000, 1_001)
