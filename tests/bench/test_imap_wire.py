"""The end of an answer is found however the octets are cut."""

from tests.bench.imap_wire import Tail


def fed(tail: Tail, octets: bytes, size: int) -> list[bool]:
    return [tail.take(memoryview(octets[at : at + size])) for at in range(0, len(octets), size)]


def test_only_the_tagged_line_ends_an_answer() -> None:
    answer = b"* 1 FETCH (UID 1)\r\n* 2 FETCH (BODY[] {8}\r\nt8 OK.\r\n)\r\nt7 OK Done\r\n"
    for size in range(1, len(answer) + 1):
        tail = Tail(b"t7")
        *before, last = fed(tail, answer, size)
        assert last and not any(before)
        assert tail.last_line == b"t7 OK Done"
        assert tail.octets == len(answer)


def test_a_refusal_ends_an_answer_as_well() -> None:
    tail = Tail(b"t7")
    assert tail.take(memoryview(b"t7 NO Nothing\r\n"))
    assert tail.last_line == b"t7 NO Nothing"


def test_only_the_end_of_a_long_answer_is_kept() -> None:
    tail = Tail(b"t1")
    assert not tail.take(memoryview(bytes(1 << 20)))
    assert not tail.take(memoryview(b"\r\nt1 O"))
    assert tail.take(memoryview(b"K\r\n"))
    assert tail.octets == (1 << 20) + 9
    assert len(tail.kept) <= 8192
