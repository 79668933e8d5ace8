"""What is told of other mailboxes brings a client to where the account stands (RFC 5465 §5)."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mailbox_server.imap.grammar.lexer import Lexer, TextForm
from mailbox_server.imap.grammar.notify_arguments import parse_notify
from mailbox_server.imap.limits import ImapLimits
from mailbox_server.imap.telling.account_watch import AccountWatches, Picture
from mailbox_server.imap.telling.notices import Audience, TooManyNotices, news, standing
from mailbox_server.imap.telling.wishes import wishes_of
from mailbox_server.model.errors import MailboxServerFault
from mailbox_server.model.ids import AccountId, ModSeq
from mailbox_server.model.keywords import SEEN
from mailbox_server.store.ports import Edit, FlagChange, WriteTx
from tests.dialogues.imap.world import World

NUMBERS = count(1)
NAMES = ("a", "a/b", "a/b/c", "ab", "d")
LIST = re.compile(rb'\* LIST \((.*)\) "/" "([^"]*)"(?: \("OLDNAME" \("([^"]*)"\)\))?\r\n')
STATUS = re.compile(rb'\* STATUS "([^"]*)" \((.*)\)\r\n')


def audience(wishes: bytes, limits: ImapLimits | None = None) -> Audience:
    groups = parse_notify(Lexer(b" SET " + wishes)).groups
    assert groups is not None
    limits = limits or ImapLimits()
    return Audience(wishes_of(groups), None, True, TextForm.SEVEN_BIT, limits)


EVERYTHING = audience(
    b"(PERSONAL (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))"
)


class Client:
    """Believes what it is told."""

    def __init__(self, names: set[bytes], lines: list[bytes]) -> None:
        self.names = names
        self.subscribed: set[bytes] = set()
        self.figures: dict[bytes, dict[bytes, int]] = {}
        self.read(lines)

    def read(self, lines: list[bytes]) -> None:
        for line in lines:
            if found := LIST.fullmatch(line):
                self._name(set(found[1].split()), found[2], found[3])
            else:
                found = STATUS.fullmatch(line)
                assert found is not None
                words = found[2].split()
                figures = dict(zip(words[::2], map(int, words[1::2]), strict=True))
                self.figures.setdefault(found[1], {}).update(figures)

    def _name(self, attributes: set[bytes], name: bytes, old: bytes | None) -> None:
        if old is not None:
            for each in [each for each in self.names if (each + b"/").startswith(old + b"/")]:
                moved = name + each[len(old) :]
                self.names.discard(each)
                self.names.add(moved)
                self.figures[moved] = self.figures.pop(each, {})
        if b"\\NonExistent" in attributes:
            self.names.discard(name)
            self.figures.pop(name, None)
        else:
            self.names.add(name)
        if b"\\Subscribed" in attributes:
            self.subscribed.add(name)
        else:
            self.subscribed.discard(name)

    def agrees_with(self, now: Picture) -> None:
        assert self.names == {each.mailbox.name.encode() for each in now.mailboxes.values()}
        assert self.subscribed == {name.encode() for name in now.subscribed}
        for each in now.mailboxes.values():
            told = self.figures.get(each.mailbox.name.encode(), {})
            assert told.get(b"MESSAGES", 0) == each.messages
            assert told.get(b"UIDNEXT", 1) == each.mailbox.uid_next
            assert told.get(b"UNSEEN", 0) == each.unseen
            if each.mailbox.uid_next > 1:
                assert told[b"UIDVALIDITY"] == each.mailbox.uid_validity
                assert told[b"HIGHESTMODSEQ"] == each.mailbox.highest_modseq


@pytest.fixture
async def world() -> AsyncIterator[World]:
    house = await World.open()
    yield house
    await house.close()


MOVES = st.tuples(
    st.sampled_from(["create", "delete", "rename", "subscribe", "deliver", "see", "expunge"]),
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
)


async def stamp(world: World, account: AccountId) -> ModSeq:
    return await world.store.read(lambda tx: tx.changes.state(account).stamp)


async def move(world: World, owner: str, account: AccountId, about: tuple[str, str, str]) -> None:
    what, name, other = about

    def work(tx: WriteTx) -> None:
        found = tx.mailboxes.find(account, name)
        if what == "create":
            tx.mailboxes.create(account, name)
        elif what == "delete":
            tx.mailboxes.delete(account, name)
        elif what == "rename":
            tx.mailboxes.rename(account, name, other)
        elif what == "subscribe" and name in tx.mailboxes.subscriptions(account):
            tx.mailboxes.unsubscribe(account, name)
        elif what == "subscribe":
            tx.mailboxes.subscribe(account, name)
        elif found is not None and what == "see":
            tx.messages.change_flags(found.id, [1], FlagChange(Edit.ADD, frozenset({SEEN})))
        elif found is not None and what == "expunge":
            tx.messages.expunge(found.id, [1])

    if what == "deliver":
        if await world.store.read(lambda tx: tx.mailboxes.find(account, name)) is not None:
            await world.deliver(owner, name, b"Subject: x\r\n\r\nx")
        return
    try:
        await world.store.write(work)
    except MailboxServerFault:
        return


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(moves=st.lists(st.lists(MOVES, max_size=4), max_size=6))
@example([[("create", "a", "a")], [("rename", "a", "ab"), ("create", "a", "a")]])
@example(
    [
        [("create", "a", "a"), ("deliver", "a", "a"), ("create", "ab", "a")],
        [("rename", "a", "d"), ("rename", "ab", "a"), ("rename", "d", "ab")],
    ]
)
@example(
    [
        [("create", "a/b", "a"), ("deliver", "a/b", "a")],
        [("rename", "a", "d"), ("rename", "d/b", "ab"), ("create", "a/b/c", "a")],
    ]
)
@example(
    [
        [("create", "a/b/c", "a"), ("deliver", "a/b/c", "a")],
        [("delete", "a/b/c", "a"), ("rename", "a/b", "d")],
    ]
)
@example(
    [
        [("create", "a", "a"), ("deliver", "a", "a")],
        [("delete", "a", "a"), ("create", "a", "a")],
    ]
)
@example([[("create", "a/b", "a")], [("rename", "a", "ab"), ("subscribe", "a/b", "a")]])
async def test_the_client_comes_to_where_the_account_stands(
    world: World, moves: list[list[tuple[str, str, str]]]
) -> None:
    owner = f"ann{next(NUMBERS):04}"
    await world.given(f"account {owner}")
    account = (await world.store.read(lambda tx: tx.accounts.all()))[-1].id
    watches = AccountWatches()
    watch = watches.join(world.store, account)
    before = await watch.at_least(ModSeq(1))
    names = {each.mailbox.name.encode() for each in before.mailboxes.values()}
    client = Client(names, standing(before, EVERYTHING))
    client.subscribed = {name.encode() for name in before.subscribed}
    for several in moves:
        for what, name, other in several:
            await move(world, owner, account, (what, name, other))
        now = await watch.at_least(await stamp(world, account))
        client.read(news(before, now, EVERYTHING))
        client.agrees_with(now)
        before = now
    watches.leave(watch)


async def test_the_selected_mailbox_has_figures_under_a_name_that_it_took(world: World) -> None:
    """That it was renamed cannot be told, so the client has those of the other there."""
    await world.given("account ann")
    account = (await world.store.read(lambda tx: tx.accounts.all()))[0].id
    watch = AccountWatches().join(world.store, account)
    for what, name in (("create", "a"), ("deliver", "a"), ("create", "d")):
        await move(world, "ann", account, (what, name, name))
    selected = await world.store.read(lambda tx: tx.mailboxes.find(account, "a"))
    assert selected is not None
    before = await watch.at_least(await stamp(world, account))
    names = {each.mailbox.name.encode() for each in before.mailboxes.values()}
    client = Client(names, standing(before, EVERYTHING))
    client.subscribed = {name.encode() for name in before.subscribed}
    for what, name, other in (("delete", "d", ""), ("rename", "a", "d"), ("deliver", "d", "")):
        await move(world, "ann", account, (what, name, other))
    now = await watch.at_least(await stamp(world, account))
    client.read(news(before, now, replace(EVERYTHING, selected=selected.id)))
    client.agrees_with(now)


async def test_too_much_at_once(world: World) -> None:
    await world.given("account ann")
    account = (await world.store.read(lambda tx: tx.accounts.all()))[0].id
    watch = AccountWatches().join(world.store, account)
    before = await watch.at_least(ModSeq(1))
    await world.store.write(lambda tx: tx.mailboxes.create(account, "a/b/c"))
    now = await watch.at_least(ModSeq(before.modseq + 1))
    few = ImapLimits(notices_at_once=2)
    with pytest.raises(TooManyNotices):
        news(before, now, audience(b"(PERSONAL (MailboxName))", few))
    assert len(news(before, now, audience(b"(SUBTREE a/b (MailboxName))", few))) == 2
    assert news(before, now, audience(b"(PERSONAL (SubscriptionChange))", few)) == []


async def test_one_read_serves_all_sessions(world: World) -> None:
    await world.given("account ann")
    account = (await world.store.read(lambda tx: tx.accounts.all()))[0].id
    watches = AccountWatches()
    one, other = watches.join(world.store, account), watches.join(world.store, account)
    assert one is other
    picture = await one.at_least(ModSeq(1))
    assert await other.at_least(picture.modseq) is picture
    await world.store.write(lambda tx: tx.mailboxes.create(account, "a"))
    later = await one.at_least(ModSeq(picture.modseq + 1))
    assert [each for each in later.mailboxes.values() if each.mailbox.name == "a"]
    # What did not move is not read again.
    assert all(later.mailboxes[number] is each for number, each in picture.mailboxes.items())
    watches.leave(one)
    watches.leave(other)
    assert watches.join(world.store, account) is not one
