"""The doorbell rings those who listen, once each, and survives what they do."""

from mailbox_server.model.ids import AccountId, ModSeq
from mailbox_server.model.ports import Silence
from mailbox_server.store.doorbell import Doorbell, Listener

ANN, BOB = AccountId(1), AccountId(2)


class Faults(Silence):
    """Remembers the faults it was told."""

    def __init__(self) -> None:
        self.seen: list[BaseException] = []

    def fault(self, event: str, error: BaseException, /, **fields: object) -> None:
        self.seen.append(error)


def test_only_the_accounts_listeners_hear() -> None:
    bell = Doorbell(Silence())
    heard: list[tuple[str, int]] = []
    bell.listen(ANN, lambda modseq: heard.append(("ann", modseq)))
    bell.listen(ANN, lambda modseq: heard.append(("ann too", modseq)))
    bell.listen(BOB, lambda modseq: heard.append(("bob", modseq)))
    bell.ring({ANN: ModSeq(7)})
    bell.ring({AccountId(3): ModSeq(9)})
    assert heard == [("ann", 7), ("ann too", 7)]


def test_a_closed_listener_hears_nothing_and_may_be_closed_again() -> None:
    bell = Doorbell(Silence())
    heard: list[int] = []
    listening = bell.listen(ANN, heard.append)
    listening.close()
    listening.close()
    bell.ring({ANN: ModSeq(1)})
    assert heard == []


def test_who_is_closed_by_an_earlier_ring_is_not_rung() -> None:
    bell = Doorbell(Silence())
    heard: list[int] = []
    others: list[Listener] = []
    bell.listen(ANN, lambda modseq: others[0].close())
    others.append(bell.listen(ANN, heard.append))
    bell.ring({ANN: ModSeq(1)})
    assert heard == []


def test_who_begins_to_listen_while_it_rings_hears_the_next() -> None:
    bell = Doorbell(Silence())
    heard: list[int] = []
    once = [heard.append]

    def begin(modseq: ModSeq) -> None:
        if once:
            bell.listen(ANN, once.pop())

    bell.listen(ANN, begin)
    bell.ring({ANN: ModSeq(1)})
    bell.ring({ANN: ModSeq(2)})
    assert heard == [2]


def test_a_listener_that_raises_is_logged_and_the_next_still_hears() -> None:
    faults = Faults()
    bell = Doorbell(faults)
    heard: list[int] = []
    error = RuntimeError("a bug")

    def broken(modseq: ModSeq) -> None:
        raise error

    bell.listen(ANN, broken)
    bell.listen(ANN, heard.append)
    bell.ring({ANN: ModSeq(1)})
    assert (heard, faults.seen) == ([1], [error])
