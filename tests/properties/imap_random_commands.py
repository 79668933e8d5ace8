"""Random commands for a session, each with what it does to the model and what must be answered.

A command is chosen from what its client knows (its mirror) and applied to the model later:
other clients' commands may come first.
"""

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from mailbox_server.model.uid_set import UidSet
from tests.dialogues.imap.world import message
from tests.properties.imap_account_model import AccountModel, Box, Kept
from tests.properties.imap_client_mirror import fetched, numbers_of
from tests.properties.imap_spoken import Heard, Talk

FLAGS: Final = (
    *("\\Seen", "\\Flagged", "\\Answered", "\\Draft", "\\Deleted", "work", "$Forwarded"),
    *(f"k{number}" for number in range(4)),
)
MOST_FLAGS: Final = 5
OK: Final = b"OK"
NO: Final = b"NO"


@dataclass(frozen=True, slots=True)
class Expected:
    """What the answer must be like.

    codes: response codes and what stands behind them; None where it must not come.
    found: what a search must find, and what it may find besides, because its client has not
        been told yet that it is gone.
    bodies: content octets by UID that must have come whole.
    line: an untagged line that must have come.
    """

    status: tuple[bytes, ...] = (OK,)
    codes: dict[bytes, bytes | None] = field(default_factory=dict)
    found: tuple[frozenset[int], frozenset[int]] | None = None
    bodies: dict[int, bytes] | None = None
    line: bytes | None = None

    def misses(self, heard: Heard) -> str:
        """What is wrong with the answer; empty where all is well."""
        if heard.status not in self.status:
            return f"{heard.status!r}, not {self.status}"
        if heard.status == OK:
            for name, value in self.codes.items():
                if heard.code(name) != value:
                    return f"{name!r} {heard.code(name)!r}, not {value!r}"
        if self.line is not None and self.line not in heard.untagged:
            return f"no {self.line!r}"
        if self.found is not None:
            must, may = self.found
            numbers = _found(heard)
            if not must <= numbers <= must | may:
                return f"found {sorted(numbers)}, not {sorted(must)} (or {sorted(may)})"
        if self.bodies is not None:
            told = [one for line in heard.untagged if (one := fetched(line)) is not None]
            came = {one.uid: one.literal for one in told if one.literal is not None}
            for uid, octets in self.bodies.items():
                if came.get(uid) != octets:
                    return f"UID {uid} has the body {came.get(uid)!r}"
        return ""


def _found(heard: Heard) -> set[int]:
    for line in heard.untagged:
        words = line.split(b" ")
        if words[1] == b"ESEARCH" and b"ALL" in words:
            return numbers_of(words[words.index(b"ALL") + 1])
        if words[1] == b"SEARCH":
            return {int(word) for word in words[2:] if word.isdigit()}
    return set()


Apply = Callable[[AccountModel], Expected]


@dataclass(frozen=True, slots=True)
class Asked:
    """A command, what it does, and what its client believes of it at once.

    apart: the same in two steps, where others may come in between.
    """

    octets: bytes
    apply: Apply
    believe: Callable[[], None] = lambda: None
    apart: tuple[Apply, Apply] | None = None

    @property
    def steps(self) -> tuple[Apply, ...]:
        """What it does, in as many steps as others can tell apart; the last one answers."""
        return (self.apply,) if self.apart is None else self.apart


@dataclass(frozen=True, slots=True)
class Picked:
    """Messages that a command names: their UIDs, the words, and how they are named."""

    uids: tuple[int, ...]
    words: bytes
    by_uid: bool

    @property
    def prefix(self) -> bytes:
        return b"UID " if self.by_uid else b""


class RandomCommands:
    """Chooses commands; contents are numbered on and on."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.contents = 0

    def pick(self, client: Talk) -> Picked | None:
        """Some of what the client knows, written in one of many ways; None where that is none."""
        assert client.mirror is not None
        uids = client.mirror.uids
        if not uids or client.mirror.unknown:
            return None
        by_uid = self.chance.random() < 0.6
        way = self.chance.random()
        if way < 0.12 and client.perhaps_saved.isdisjoint(uids):
            saved = tuple(uid for uid in uids if uid in client.saved)
            return Picked(saved, b"$", by_uid)
        if way < 0.22:
            return Picked(tuple(uids), b"1:*", by_uid)
        if way < 0.3:
            return Picked((uids[-1],), b"*", by_uid)
        if way < 0.5:
            first, last = sorted(self.chance.choices(range(len(uids)), k=2))
            ends = [uids[first], uids[last]] if by_uid else [first + 1, last + 1]
            self.chance.shuffle(ends)
            return Picked(tuple(uids[first : last + 1]), b"%d:%d" % tuple(ends), by_uid)
        chosen = self.chance.sample(uids, self.chance.randint(1, min(4, len(uids))))
        names = chosen if by_uid else [client.mirror.by_number(uid) for uid in chosen]
        if by_uid and self.chance.random() < 0.2:
            names = [*names, uids[-1] + 1_000]
        return Picked(tuple(sorted(chosen)), b",".join(b"%d" % name for name in names), by_uid)

    # ------------------------------------------------------------ commands with messages

    def store(self, client: Talk, picked: Picked) -> Asked:
        """STORE, silent or not, sometimes UNCHANGEDSINCE.

        By number it is answered as what is there afterwards says.  UNCHANGEDSINCE 0 has rules of
        its own for keywords (RFC 7162 §3.1.3), of which a dialogue tells.
        """
        sign = self.chance.choice(("+", "+", "-", ""))
        flags = self._flags(0 if not sign else 1)
        silent = self.chance.random() < 0.4
        since = self._since(client)
        if since == 0 and sign and not any(flag.startswith("\\") for flag in flags):
            since = 1
        item = f"{sign}FLAGS{'.SILENT' if silent else ''} ({' '.join(sorted(flags))})".encode()
        limit = b"" if since is None else b"(UNCHANGEDSINCE %d) " % since
        box, read_only = client.box, client.read_only
        numbers = (
            {uid: client.mirror.by_number(uid) for uid in picked.uids} if client.mirror else {}
        )

        def edited(before: frozenset[str]) -> frozenset[str]:
            return before | flags if sign == "+" else before - flags if sign else flags

        modified: list[UidSet] = []

        def change(model: AccountModel) -> Expected:
            if read_only:
                return Expected((NO,))
            there = {uid: model.boxes[box].kept[uid] for uid in model.present(box, picked.uids)}
            spared = {
                uid for uid, held in there.items() if since is not None and held.modseq > since
            }
            for uid in there.keys() - spared:
                model.change(box, uid, edited(model.boxes[box].kept[uid].flags))
            modified[:] = [UidSet.of(uid if picked.by_uid else numbers[uid] for uid in spared)]
            return Expected()

        def answer(model: AccountModel) -> Expected:
            if read_only:
                return Expected((NO,))
            lost = not picked.by_uid and len(model.present(box, picked.uids)) < len(picked.uids)
            named = modified[0].text().encode() if modified[0] else None
            return Expected((NO,) if lost and not silent else (OK,), {b"MODIFIED": named})

        def apply(model: AccountModel) -> Expected:
            change(model)
            return answer(model)

        def believe() -> None:
            for one in client.mirror.seen if client.mirror is not None else ():
                if one.uid in picked.uids and one.flags is not None:
                    one.flags = edited(one.flags)

        return Asked(
            picked.prefix + b"STORE " + picked.words + b" " + limit + item,
            apply,
            believe if silent and not read_only else lambda: None,
            apart=(change, answer),
        )

    def _since(self, client: Talk) -> int | None:
        if "CONDSTORE" not in client.enabled or client.mirror is None:
            return None
        if self.chance.random() < 0.6:
            return None
        told = [one.modseq for one in client.mirror.seen if one.modseq is not None]
        return self.chance.choice([0, 1, 2**62, *told])

    def fetch(self, client: Talk, picked: Picked) -> Asked:
        """FETCH of whole messages, which sets \\Seen, or a peek.

        Which lack it is looked up first, and they are marked after: what becomes unseen in
        between is left as it is.
        """
        peeks = self.chance.random() < 0.5
        item = b"BODY.PEEK[]" if peeks else b"BODY[]"
        box, sets = client.box, not peeks and not client.read_only
        unseen: list[int] = []

        def look(model: AccountModel) -> Expected:
            held = model.boxes[box].kept
            there = model.present(box, picked.uids) if sets else ()
            unseen[:] = [uid for uid in there if "\\Seen" not in held[uid].flags]
            return Expected()

        def mark(model: AccountModel) -> Expected:
            there = model.present(box, picked.uids)
            held = {uid: model.boxes[box].kept[uid] for uid in there}
            for uid in model.present(box, unseen):
                model.change(box, uid, model.boxes[box].kept[uid].flags | {"\\Seen"})
            whole = len(there) == len(picked.uids)
            bodies = {uid: message(kept.message) for uid, kept in held.items()}
            return Expected((OK,) if whole else (OK, NO), bodies=bodies if whole else None)

        def apply(model: AccountModel) -> Expected:
            look(model)
            return mark(model)

        return Asked(
            picked.prefix + b"FETCH " + picked.words + b" (UID " + item + b")",
            apply,
            apart=(look, mark),
        )

    def changed_since(self, client: Talk, picked: Picked) -> Asked:
        """FETCH of flags, sometimes CHANGEDSINCE, by UID also VANISHED."""
        since = self._since(client) or 1
        modifier = b" (CHANGEDSINCE %d)" % since
        if "QRESYNC" in client.enabled and picked.by_uid and picked.words != b"$":
            modifier = modifier[:-1] + b" VANISHED)"
        if "CONDSTORE" not in client.enabled:
            modifier = b""
        octets = picked.prefix + b"FETCH " + picked.words + b" (UID FLAGS)" + modifier
        return Asked(octets, lambda model: Expected())

    def copy(self, client: Talk, picked: Picked, model: AccountModel) -> Asked:
        """COPY to any mailbox, its own too."""
        name = self.chance.choice(sorted(model.names))
        box, target = client.box, model.names[name]

        def apply(model: AccountModel) -> Expected:
            if not picked.by_uid and len(model.present(box, picked.uids)) < len(picked.uids):
                return Expected((NO,), {})
            code = _copied(model, target, *model.copy(box, picked.uids, target))
            return Expected(codes={b"COPYUID": code})

        return Asked(picked.prefix + b"COPY " + picked.words + b" " + name.encode(), apply)

    def move(self, client: Talk, picked: Picked, model: AccountModel) -> Asked:
        """MOVE to any mailbox, its own too."""
        name = self.chance.choice(sorted(model.names))
        box, target, read_only = client.box, model.names[name], client.read_only

        def apply(model: AccountModel) -> Expected:
            if read_only:
                return Expected((NO,))
            sources, targets = model.move(box, picked.uids, target)
            lost = not picked.by_uid and len(sources) < len(picked.uids)
            code = _copied(model, target, sources, targets)
            return Expected((NO,) if lost else (OK,), {b"COPYUID": code})

        return Asked(picked.prefix + b"MOVE " + picked.words + b" " + name.encode(), apply)

    def expunge(self, client: Talk, picked: Picked | None) -> Asked:
        """EXPUNGE of all, which ends when nothing is deleted any more, or UID EXPUNGE."""
        uids = picked.uids if picked is not None and picked.by_uid else None
        box, read_only = client.box, client.read_only

        def apply(model: AccountModel) -> Expected:
            if read_only:
                return Expected((NO,))
            model.boxes[box].expunge(uids)
            return Expected()

        if uids is None or picked is None:
            return Asked(b"EXPUNGE", apply, apart=(apply, apply))
        return Asked(b"UID EXPUNGE " + picked.words, apply)

    def search(self, client: Talk) -> Asked:
        """SEARCH by what the model knows, plain or extended, sometimes saved as `$`."""
        by_uid = self.chance.random() < 0.6
        words, holds = self._key(client, 2)
        saves = self.chance.random() < 0.4
        form = self.chance.choice((b"RETURN (SAVE ALL) ", b"RETURN (SAVE) ")) if saves else b""
        form = form or self.chance.choice((b"", b"RETURN () ", b"RETURN (ALL COUNT) "))
        assert client.mirror is not None
        box = client.box
        known = {one.uid: number for number, one in enumerate(client.mirror.seen, 1) if one.uid}

        def apply(model: AccountModel) -> Expected:
            kept = model.boxes[box].kept
            must = {uid for uid in known if uid in kept and holds(uid, kept[uid])}
            may = {uid for uid in known if uid not in kept}
            if saves:
                client.saved, client.perhaps_saved = frozenset(must), frozenset(may)
            if form == b"RETURN (SAVE) ":
                return Expected()
            if not by_uid:
                must, may = {known[uid] for uid in must}, {known[uid] for uid in may}
            return Expected(found=(frozenset(must), frozenset(may)))

        return Asked((b"UID " if by_uid else b"") + b"SEARCH " + form + words, apply)

    def _key(self, client: Talk, depth: int) -> tuple[bytes, Callable[[int, Kept], bool]]:
        way = self.chance.randrange(9 if depth else 6)
        if way == 0:
            flag = self.chance.choice(FLAGS)
            word = flag[1:].upper() if flag.startswith("\\") else f"KEYWORD {flag}"
            return word.encode(), lambda uid, kept: flag in kept.flags
        if way == 1:
            flag = self.chance.choice(FLAGS)
            word = f"UN{flag[1:].upper()}" if flag.startswith("\\") else f"UNKEYWORD {flag}"
            return word.encode(), lambda uid, kept: flag not in kept.flags
        if way == 2:
            number = self.chance.randint(1, max(1, self.contents))
            words = b'HEADER Message-ID "<%d@"' % number
            return words, lambda uid, kept: kept.message == number
        if way == 3 and "CONDSTORE" in client.enabled:
            since = self._since(client) or 1
            return b"MODSEQ %d" % since, lambda uid, kept: kept.modseq >= since
        if way == 4 and client.mirror is not None and client.mirror.uids:
            last = self.chance.choice(client.mirror.uids)
            return b"UID 1:%d" % last, lambda uid, kept: uid <= last
        if way < 6:
            return b"ALL", lambda uid, kept: True
        words, holds = self._key(client, depth - 1)
        if way == 6:
            return b"NOT (" + words + b")", lambda uid, kept: not holds(uid, kept)
        others, also = self._key(client, depth - 1)
        if way == 7:
            return (
                b"OR (" + words + b") (" + others + b")",
                lambda uid, kept: holds(uid, kept) or also(uid, kept),
            )
        return words + b" " + others, lambda uid, kept: holds(uid, kept) and also(uid, kept)

    # ------------------------------------------------------------ other commands

    def append(self, model: AccountModel) -> Asked:
        """APPEND of one message or, less often, of two."""
        name = self.chance.choice(sorted(model.names))
        target, count = model.names[name], self.chance.choice((1, 1, 2))
        added = [self._new() for _ in range(count)]
        words = b"".join(
            b" (%s) {%d+}\r\n%s" % (" ".join(sorted(flags)).encode(), len(octets), octets)
            for flags, octets in ((flags, message(number)) for number, flags in added)
        )

        def apply(model: AccountModel) -> Expected:
            box = model.boxes[target]
            uids = UidSet.of(box.add(number, flags) for number, flags in added)
            code = b"%d %s" % (box.uid_validity, uids.text().encode())
            return Expected(codes={b"APPENDUID": code})

        return Asked(b"APPEND " + name.encode() + words, apply)

    def _new(self) -> tuple[int, frozenset[str]]:
        self.contents += 1
        return self.contents, self._flags(0)

    def _flags(self, least: int) -> frozenset[str]:
        """Mostly a few."""
        most = self.chance.choice((2, 2, MOST_FLAGS))
        return frozenset(self.chance.sample(FLAGS, self.chance.randint(least, most)))

    def status(self, model: AccountModel) -> Asked:
        """STATUS, which counts."""
        name = self.chance.choice(sorted(model.names))
        number = model.names[name]

        def apply(model: AccountModel) -> Expected:
            counts = _counted(model.boxes[number])
            return Expected(line=b'* STATUS "' + name.encode() + b'" ' + counts)

        items = b"MESSAGES UIDNEXT UIDVALIDITY UNSEEN DELETED"
        return Asked(b"STATUS " + name.encode() + b" (" + items + b")", apply)


def _counted(box: Box) -> bytes:
    held = [kept.flags for kept in box.kept.values()]
    unseen = sum("\\Seen" not in flags for flags in held)
    deleted = sum("\\Deleted" in flags for flags in held)
    return b"(MESSAGES %d UIDNEXT %d UIDVALIDITY %d UNSEEN %d DELETED %d)" % (
        len(held), box.uid_next, box.uid_validity, unseen, deleted,
    )  # fmt: skip


def _copied(
    model: AccountModel, target: int, sources: Sequence[int], targets: Collection[int]
) -> bytes | None:
    if not sources:
        return None
    sides = UidSet.of(sources).text(), UidSet.of(targets).text()
    return f"{model.boxes[target].uid_validity} {sides[0]} {sides[1]}".encode()
