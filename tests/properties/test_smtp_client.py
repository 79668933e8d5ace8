"""Whatever a server answers, and when: each recipient gets one answer, and no false good news."""

from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.model.outbound import Finding, Phase
from mailbox_server.relay.client import own_replies
from mailbox_server.relay.client.engine import Engine, State
from mailbox_server.relay.client.outcomes import finding_of
from mailbox_server.relay.client.transaction import Answer, Step, Way
from tests.unit.relay.client.spoken import begun, greeted

GOOD = (b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"354 go\r\n")
BAD = (
    *(b"550 5.1.1 no\r\n", b"450 later\r\n", b"452 4.5.3 too many\r\n", b"503 order\r\n"),
    *(b"421 bye\r\n", b"221 bye\r\n", b"250 ok\r\n250 again\r\n", b"999 x\r\n", b"x\r\n", b""),
)
REPLIES = st.lists(st.one_of(st.sampled_from(GOOD), st.sampled_from(GOOD + BAD)), max_size=30)


def played(engine: Engine, way: Way, replies: list[bytes]) -> tuple[list[Answer | None], bool]:
    """One transaction to its end; the answers, and whether a 2xx was said to the end."""
    transaction = begun(engine, 3, way)
    pieces = [b"one\r\n", b"two\r\n", b"three\r\n"]
    was_taken = False
    while engine.state is State.TRANSACTION:
        engine.output()
        if engine.wants_content and pieces:
            engine.content(pieces.pop(0), is_last=not pieces)
            continue
        reply = replies.pop(0) if replies else b""
        if not reply:
            engine.lost(own_replies.ENDED)
            break
        for line in reply.splitlines(keepends=True):
            was_taken = was_taken or (engine.step is Step.END and line.startswith(b"250"))
            engine.receive(line)
    return transaction.answers, was_taken


@given(
    st.lists(st.sampled_from(("PIPELINING", "CHUNKING")), max_size=2),
    st.sampled_from(Way),
    REPLIES,
)
def test_one_answer_each(keywords: list[str], way: Way, replies: list[bytes]) -> None:
    engine = greeted(*keywords)
    for _ in range(3):
        answers, was_taken = played(engine, way, replies)
        assert None not in answers
        findings = [finding_of(one) for one in answers if one is not None]
        if Finding.DELIVERED in findings:
            assert was_taken
        for one in answers:
            assert one is not None
            # Good news comes from the server, at the end, and from nowhere else.
            assert one.reply.is_positive is (finding_of(one) is Finding.DELIVERED)
            assert not one.reply.is_positive or (one.is_theirs and one.phase is Phase.END)
            assert one.is_theirs or one.reply.code < 500
        if engine.state is not State.READY:
            assert engine.state is State.CLOSED
            assert engine.failure is not None
            break
