"""THREAD=REFERENCES once more, word by word as RFC 5256 §3 has it, for a few messages.

Whole trees are walked for every question, and nothing is shared with imap.thread_trees but
the messages.  Where a link to the last reference would make a loop, the one that there was
before stays.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from mailbox_server.imap.facts.thread_trees import Threadable


@dataclass(eq=False)
class Message:
    """A message, or with None a dummy."""

    held: Threadable | None = None
    parent: "Message | None" = None
    children: list["Message"] = field(default_factory=list)


def threads_of(messages: Sequence[Threadable]) -> str:
    """The answer, as THREAD writes it; messages in mailbox order."""
    return "".join(f"({_written(root)})" for root in _Threading(messages).roots)


class _Threading:
    def __init__(self, messages: Sequence[Threadable]) -> None:
        self._messages = messages
        self._by_id: dict[Hashable, Message] = {}
        self._all: list[Message] = []
        for message in messages:
            self._take(message)
        roots = [each for each in self._all if each.parent is None]
        self.roots = [kept for root in roots for kept in self._without_dummies(root, is_root=True)]
        self.roots.sort(key=self._sent)
        self._gather()
        for root in self.roots:
            self._sort(root)
        self.roots.sort(key=self._sent)

    # ------------------------------------------------------------ step 1

    def _take(self, message: Threadable) -> None:
        known = self._by_id.get(message.message_id) if message.message_id is not None else None
        if message.message_id is None or (known is not None and known.held is not None):
            node = Message(message)
            self._all.append(node)
        else:
            node = known or self._named(message.message_id)
            node.held = message
        before: Message | None = None
        for reference in message.references:
            named = self._by_id.get(reference) or self._named(reference)
            if before is not None and named.parent is None and not _is_below(before, named):
                _link(before, named)
            before = named
        if before is None:
            _link(None, node)
        elif not _is_below(before, node):
            _link(before, node)

    def _named(self, name: Hashable) -> Message:
        node = self._by_id[name] = Message()
        self._all.append(node)
        return node

    # ------------------------------------------------------------ steps 3, 4 and 6

    def _without_dummies(self, node: Message, *, is_root: bool) -> list[Message]:
        node.children = [
            kept for child in node.children for kept in self._without_dummies(child, is_root=False)
        ]
        if node.held is not None:
            return [node]
        return [node] if is_root and len(node.children) > 1 else node.children

    def _sent(self, node: Message) -> tuple[int, int]:
        if node.held is None:
            return min(map(self._sent, node.children))
        return node.held.sent, self._messages.index(node.held)

    def _sort(self, node: Message) -> None:
        for child in node.children:
            self._sort(child)
        node.children.sort(key=self._sent)

    # ------------------------------------------------------------ step 5

    def _gather(self) -> None:
        table: dict[Hashable, Message] = {}
        for root in self.roots:
            subject = self._subject(root)
            there = table.get(subject)
            if subject and (
                there is None
                or (there.held is not None and root.held is None)
                or (_is_reply(there) and root.held is not None and not _is_reply(root))
            ):
                table[subject] = root
        for root in list(self.roots):
            there = table.get(self._subject(root), root)
            if there is root:
                continue
            self.roots.remove(root)
            if there.held is None and root.held is None:
                there.children += root.children
            elif there.held is None or (_is_reply(root) and not _is_reply(there)):
                there.children.append(root)
            else:
                dummy = Message(children=[there, root])
                self.roots[self.roots.index(there)] = dummy
                table[self._subject(root)] = dummy

    def _subject(self, node: Message) -> Hashable:
        first = min(node.children, key=self._sent) if node.held is None else node
        assert first.held is not None, "only roots are dummies, and they have children"
        return first.held.subject


def _link(parent: Message | None, child: Message) -> None:
    if child.parent is not None:
        child.parent.children.remove(child)
    child.parent = parent
    if parent is not None:
        parent.children.append(child)


def _is_below(node: Message | None, other: Message) -> bool:
    while node is not None and node is not other:
        node = node.parent
    return node is other


def _is_reply(node: Message) -> bool:
    return node.held is not None and node.held.is_reply


def _written(node: Message) -> str:
    number = str(node.held.number) if node.held is not None else ""
    if number and len(node.children) == 1:
        return f"{number} {_written(node.children[0])}"
    below = "".join(f"({_written(child)})" for child in node.children)
    return f"{number} {below}" if number and below else number + below
