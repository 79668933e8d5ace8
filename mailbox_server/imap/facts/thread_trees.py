"""Put messages together as threads: RFC 5256 §3, both algorithms; no store and no octets.

Nothing recurses, and work is linear but for two bounded parts: sorting, and looking for
loops, which is given up after STEPS_A_MESSAGE steps for each message.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

DUMMIES_A_MESSAGE: Final = 5
DUMMIES_SPARE: Final = 50_000
"""Beyond so many in all, only messages that are there and nearest ancestors are linked."""

STEPS_A_MESSAGE: Final = 50
"""Where hostile references ask for more, links that could make a loop are not made."""


@dataclass(frozen=True, slots=True)
class Threadable:
    """What of a message decides about its place.

    number: what stands for it in the answer.
    sent: seconds (RFC 5256 §2.2).  references: message ids, the nearest ancestor last.
    subject: the base subject, normalized; false where there is none.  Ids and subjects are
    only compared: whatever is equal where they are will do.
    is_reply: whether signs of a reply or forward were taken off for it.
    """

    number: int
    sent: int
    message_id: Hashable | None
    references: Sequence[Hashable]
    subject: Hashable
    is_reply: bool


class Node:
    """A place in a tree; a dummy, which stands for a message that is not there, has none."""

    __slots__ = ("below", "children", "message", "order", "parent")

    def __init__(self, message: Threadable | None, order: int) -> None:
        self.message = message
        self.order = order
        self.parent: Node | None = None
        self.children: list[Node] = []
        self.below = 0
        """How many have it for parent, while links still change and children is empty."""

    def adopt(self, child: "Node") -> None:
        """Make child, which has no parent, the last one."""
        child.parent = self
        self.children.append(child)


def by_subject(messages: Sequence[Threadable]) -> list[Node]:
    """ORDEREDSUBJECT: the first of each subject, with all others as its children.

    messages: in mailbox order.
    """
    groups: dict[Hashable, list[Node]] = defaultdict(list)
    for order, message in enumerate(messages):
        groups[message.subject].append(Node(message, order))
    roots = []
    for group in groups.values():
        group.sort(key=_sent)
        for child in group[1:]:
            group[0].adopt(child)
        roots.append(group[0])
    return sorted(roots, key=_sent)


def by_references(messages: Sequence[Threadable]) -> list[Node]:
    """REFERENCES: replies below what they answer; then threads of one subject together.

    messages: in mailbox order.
    """
    roots = _Linking(messages).roots()
    roots = [kept for root in roots for kept in _pruned(root)]
    roots = _merged(sorted(roots, key=_sent))
    _sort_below(roots)
    return sorted(roots, key=_sent)


class _Linking:
    """Step 1: nodes by message id, each below its nearest known ancestor."""

    def __init__(self, messages: Sequence[Threadable]) -> None:
        self._nodes: list[Node] = []
        self._known: dict[Hashable, Node] = {}
        self._steps = STEPS_A_MESSAGE * len(messages)
        self._dummies = DUMMIES_A_MESSAGE * len(messages) + DUMMIES_SPARE
        own = []
        for order, message in enumerate(messages):
            own.append(self._node_of(message, order))
        for node, message in zip(own, messages, strict=True):
            self._link(node, message.references)

    def roots(self) -> list[Node]:
        """Step 2: all without a parent; from here on children are known."""
        roots = []
        for node in self._nodes:
            if node.parent is None:
                roots.append(node)
            else:
                node.parent.children.append(node)
        return roots

    def _node_of(self, message: Threadable, order: int) -> Node:
        """The first message with an id has it; others stand for themselves."""
        node = Node(message, order)
        self._nodes.append(node)
        if message.message_id is not None:
            self._known.setdefault(message.message_id, node)
        return node

    def _link(self, node: Node, references: Sequence[Hashable]) -> None:
        above: Node | None = None
        nearest = references[-1] if references else None
        for reference in references:
            named = self._known.get(reference)
            if named is None:
                if self._dummies <= 0 and reference is not nearest:
                    continue
                self._dummies -= 1
                named = self._known[reference] = Node(None, node.order)
                self._nodes.append(named)
            if above is not None and named.parent is None and not self._is_below(above, named):
                self._place(named, above)
            above = named
        if node.parent is above:
            return
        if above is not None and self._is_below(above, node):
            return
        # What was linked before came from a list of references that had been cut.
        self._place(node, above)

    def _place(self, node: Node, above: Node | None) -> None:
        if node.parent is not None:
            node.parent.below -= 1
        node.parent = above
        if above is not None:
            above.below += 1

    def _is_below(self, node: Node, other: Node) -> bool:
        """Whether node is other or a descendant of it, or that takes too long to say."""
        if node is other:
            return True
        if not other.below:
            return False
        above = node.parent
        while above is not None and above is not other:
            self._steps -= 1
            if self._steps < 0:
                return True
            above = above.parent
        return above is other


def _pruned(root: Node) -> list[Node]:
    """Step 3: without dummies, but for one at the top with several children."""
    stack = [root]
    walk = []
    while stack:
        node = stack.pop()
        walk.append(node)
        stack.extend(node.children)
    for node in reversed(walk):
        kept: list[Node] = []
        for child in node.children:
            if child.message is None:
                kept.extend(child.children)
            else:
                kept.append(child)
        node.children = kept
        for child in kept:
            child.parent = node
    if root.message is not None:
        return [root]
    if len(root.children) == 1:
        root.children[0].parent = None
        return root.children
    return [root] if root.children else []


def _first(node: Node) -> Node:
    """The node itself, or of a dummy its first child by sent date."""
    return node if node.message is not None else min(node.children, key=_sent)


def _sent(node: Node) -> tuple[int, int]:
    """What siblings are sorted by (steps 4 and 6)."""
    message = node.message
    if message is not None:
        return message.sent, node.order
    return min(map(_sent, node.children))


def _subject(node: Node) -> Hashable:
    message = _first(node).message
    return None if message is None else message.subject


def _is_reply(node: Node) -> bool:
    return node.message is not None and node.message.is_reply


def _merged(roots: Sequence[Node]) -> list[Node]:
    """Step 5: threads with the same subject together."""
    subjects = [_subject(root) for root in roots]
    table: dict[Hashable, Node] = {}
    for root, subject in zip(roots, subjects, strict=True):
        holder = table.get(subject)
        if (
            holder is None
            or (holder.message is not None and root.message is None)
            or (_is_reply(holder) and root.message is not None and not _is_reply(root))
        ):
            table[subject] = root
    merged: dict[Node, None] = dict.fromkeys(roots)
    for root, subject in zip(roots, subjects, strict=True):
        holder = table[subject]
        if not subject or holder is root:
            continue
        del merged[root]
        if holder.message is None and root.message is None:
            for child in root.children:
                holder.adopt(child)
        elif holder.message is None or (_is_reply(root) and not _is_reply(holder)):
            holder.adopt(root)
        else:
            dummy = Node(None, holder.order)
            del merged[holder]
            merged[dummy] = None
            dummy.adopt(holder)
            dummy.adopt(root)
            table[subject] = dummy
    return list(merged)


def _sort_below(roots: Sequence[Node]) -> None:
    """Step 6: siblings by sent date; which set of them is sorted first makes no difference."""
    stack = list(roots)
    while stack:
        node = stack.pop()
        if len(node.children) > 1:
            node.children.sort(key=_sent)
        stack.extend(node.children)


def written(root: Node) -> Iterator[str]:
    """The thread in pieces: `(3 6 (4 23)(44 7 96))` (RFC 5256 §4)."""
    yield "("
    # What is still to come, the next last: a node, or text.
    stack: list[Node | str] = [")", root]
    needs_space = False
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
            needs_space = False
            continue
        if item.message is not None:
            yield f" {item.message.number}" if needs_space else f"{item.message.number}"
            needs_space = True
        if len(item.children) == 1 and item.message is not None:
            stack.append(item.children[0])
            continue
        if item.children and needs_space:
            yield " "
        for child in reversed(item.children):
            stack += [")", child, "("]
