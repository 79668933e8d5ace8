"""Threads in rows: which thread a stored message gets (store.md §4.10)."""

from mailbox_server.model.ids import AccountId
from mailbox_server.store.threads import keys_from, keys_octets, thread_keys
from tests.contract.workbench import BEN, Workbench, analysis


def stored(
    bench: Workbench,
    account: AccountId,
    message_id: str | None,
    *references: str,
    subject: str = "plans",
) -> int:
    what = analysis(subject=subject, message_id=message_id, references=references)
    return bench.deliver(account, what=what)[0].thread


def test_a_reply_is_in_the_thread_of_what_it_answers(bench: Workbench) -> None:
    account = bench.open_account()
    root = stored(bench, account, "a@x")
    assert stored(bench, account, "b@x", "a@x") == root
    assert stored(bench, account, "c@x", "a@x", "b@x") == root
    assert stored(bench, account, "d@x") != root


def test_replies_to_what_never_came_find_each_other(bench: Workbench) -> None:
    account = bench.open_account()
    thread = stored(bench, account, "b@x", "a@x")
    assert stored(bench, account, "c@x", "a@x") == thread
    assert stored(bench, account, "a@x") == thread


def test_another_base_subject_opens_another_thread(bench: Workbench) -> None:
    account = bench.open_account()
    root = stored(bench, account, "a@x")
    other = stored(bench, account, "b@x", "a@x", subject="lunch")
    assert other != root
    assert stored(bench, account, "c@x", "b@x", "a@x", subject="lunch") == other
    assert stored(bench, account, "d@x", "b@x", "a@x") == root


def test_the_oldest_of_several_threads_wins_and_none_merge(bench: Workbench) -> None:
    """RFC 8474 §5.2: what is stored keeps its thread."""
    account = bench.open_account()
    one, two = stored(bench, account, "a@x"), stored(bench, account, "b@x")
    assert one < two
    assert stored(bench, account, "c@x", "b@x", "a@x") == one
    assert stored(bench, account, "d@x", "b@x") == two
    assert stored(bench, account, "e@x", "c@x") == one


def test_the_same_message_twice_is_one_thread(bench: Workbench) -> None:
    account = bench.open_account()
    assert stored(bench, account, "a@x") == stored(bench, account, "a@x")


def test_without_ids_every_message_is_a_thread(bench: Workbench) -> None:
    account = bench.open_account()
    assert stored(bench, account, None) != stored(bench, account, None)
    assert stored(bench, account, None, "r@x") == stored(bench, account, None, "r@x")


def test_threads_stay_in_their_account(bench: Workbench) -> None:
    account, other = bench.open_account(), bench.open_account(BEN)
    root = stored(bench, account, "a@x")
    assert stored(bench, other, "b@x", "a@x") != root


def test_a_reply_finds_the_thread_of_what_was_expunged(bench: Workbench) -> None:
    account = bench.open_account()
    root = stored(bench, account, "a@x")
    inbox = bench.mailbox(account).id
    bench.write(lambda tx: tx.messages.remove(inbox, [1]))
    bench.turn(days=100)
    bench.forget_destroyed(bench.now)
    bench.write(lambda tx: tx.messages.forget_tombstones(bench.now))
    assert stored(bench, account, "b@x", "a@x") == root


def test_only_the_last_hundred_references_count(bench: Workbench) -> None:
    account = bench.open_account()
    root = stored(bench, account, "r0@x")
    many = [f"r{number}@x" for number in range(101)]
    assert stored(bench, account, "late@x", *many) != root
    assert stored(bench, account, "later@x", *many[:100]) == root


def test_every_number_of_references_is_looked_up(bench: Workbench) -> None:
    account = bench.open_account()
    root = stored(bench, account, "root@x")
    for count in range(0, 20):
        others = [f"{count}-{number}@x" for number in range(count)]
        assert stored(bench, account, f"{count}@x", *others, "root@x") == root


def test_keys_are_kept_in_octets() -> None:
    keys = thread_keys("subject \ud800", "a@x", ["b@x", "a@x", "c\ud800@x", "b@x"])
    assert len(keys) == 3
    assert keys_from(keys_octets(keys)) == keys
    assert keys_from(b"") == ()
