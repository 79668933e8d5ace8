"""Keys change by time and by what the DNS shows; the old one goes on until the new one is seen."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from mailbox_server.checks.dkim.keys import record_text
from mailbox_server.checks.dkim.rotation import (
    Forget,
    Make,
    Promote,
    RotationRules,
    Step,
    due,
    publishes,
)
from mailbox_server.model.address import Domain
from mailbox_server.model.dkim_key import DkimKey, KeyAlgorithm, KeyState
from mailbox_server.model.ids import DkimKeyId

RSA, ED25519 = KeyAlgorithm
WAITING, SIGNING, RETIRED = KeyState
DAY = timedelta(days=1)
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
RULES = RotationRules(every=180 * DAY, lead=2 * DAY, keep=30 * DAY)


def key(algorithm: KeyAlgorithm = RSA, state: KeyState = SIGNING, number: int = 1) -> DkimKey:
    return DkimKey(
        id=DkimKeyId(number),
        domain=Domain.parse("example.org"),
        selector=f"s{number}",
        algorithm=algorithm,
        private=b"",
        public=b"public of " + algorithm.value.encode(),
        state=state,
        created=BEGINNING,
        since=BEGINNING,
        seen=None,
    )


def steps(*keys: DkimKey, after: timedelta = DAY, rules: RotationRules = RULES) -> list[Step]:
    return due(keys, rules, BEGINNING + after)


def test_a_domain_without_keys_gets_both_at_once() -> None:
    assert steps() == [Make(RSA, SIGNING), Make(ED25519, SIGNING)]
    assert steps(key(RSA)) == [Make(ED25519, SIGNING)]


def test_old_keys_are_followed() -> None:
    rsa, ed25519 = key(RSA), key(ED25519)
    assert steps(rsa, ed25519, after=180 * DAY - timedelta(seconds=1)) == []
    assert steps(rsa, ed25519, after=180 * DAY) == [Make(RSA, WAITING), Make(ED25519, WAITING)]
    never = replace(RULES, every=None)
    assert steps(rsa, ed25519, after=9_000 * DAY, rules=never) == []


def test_the_new_key_signs_once_its_record_was_seen_for_a_while() -> None:
    old, new, other = key(RSA), key(RSA, WAITING, 2), key(ED25519, number=3)
    assert steps(old, new, other, after=170 * DAY) == []
    seen = replace(new, seen=BEGINNING + 100 * DAY)
    assert steps(old, seen, other, after=102 * DAY - timedelta(seconds=1)) == []
    assert steps(old, seen, other, after=102 * DAY) == [Promote(seen, old)]
    # Without a record the old one goes on, however old, and no third one is made.
    assert steps(old, new, key(ED25519, WAITING, 4), other, after=9_000 * DAY) == []


def test_without_an_older_key_one_that_waits_signs_at_once() -> None:
    waiting = key(RSA, WAITING)
    assert steps(waiting, key(ED25519)) == [Promote(waiting, None)]


def test_retired_keys_are_forgotten_in_time() -> None:
    retired = key(RSA, RETIRED, 2)
    others = (key(RSA), key(ED25519))
    assert steps(*others, retired, after=30 * DAY - timedelta(seconds=1)) == []
    assert steps(*others, retired, after=30 * DAY) == [Forget(retired)]


def test_a_clock_that_was_set_back_hurries_nothing() -> None:
    seen = replace(key(RSA, WAITING, 2), seen=BEGINNING)
    others = (key(RSA), key(ED25519), seen, key(RSA, RETIRED, 3))
    assert steps(*others, after=-500 * DAY) == []


def test_two_years_of_rotation() -> None:
    """Each step that is due is done; the owner publishes within ten days."""
    keys, numbers, signed = [key(RSA), key(ED25519, number=2)], count(3), []
    for day in range(730):
        now = BEGINNING + day * DAY
        keys = [
            replace(one, seen=now)
            if one.state is WAITING and one.seen is None and now - one.created >= 10 * DAY
            else one
            for one in keys
        ]
        for step in due(keys, RULES, now):
            match step:
                case Make(algorithm, state):
                    new = key(algorithm, state, next(numbers))
                    keys.append(replace(new, created=now, since=now))
                case Promote(one, before):
                    assert before is not None
                    keys = [
                        replace(each, state=SIGNING, since=now)
                        if each.id == one.id
                        else replace(each, state=RETIRED, since=now)
                        if each.id == before.id
                        else each
                        for each in keys
                    ]
                case Forget(one):
                    keys.remove(next(each for each in keys if each.id == one.id))
        for algorithm in KeyAlgorithm:
            of = [each for each in keys if each.algorithm is algorithm]
            assert len([each for each in of if each.state is SIGNING]) == 1
            assert len(of) <= 2
        signed.append(tuple(each.id for each in keys if each.state is SIGNING))
    assert len(set(signed)) == 4


def test_what_publishes_a_key() -> None:
    rsa, ed25519 = key(RSA), key(ED25519)
    assert publishes(record_text(rsa).encode(), rsa)
    assert publishes(record_text(ed25519).encode(), ed25519)
    public = base64.b64encode(rsa.public).decode()
    assert publishes(f"p={public[:9]} {public[9:]}".encode(), rsa)
    assert publishes(f"k=rsa;t=y; h=sha256;p={public};".encode(), rsa)


@pytest.mark.parametrize(
    "record",
    [
        b"v=DKIM1; k=rsa; p=",
        b"v=DKIM1; k=ed25519; p=cHVibGljIG9mIHJzYQ==",
        b"v=DKIM2; p=cHVibGljIG9mIHJzYQ==",
        b"v=DKIM1; p=cHVibGljIG9mIHJzYQ=",
        b"v=DKIM1; p=\xff\x00;",
        b"v=spf1 -all",
        b"p=cHVibGljIG9mIHJzYQ==;p=cHVibGljIG9mIHJzYQ==",
        b"p=cHVibGljIG9mIHJzYQ==; n=" + b"x" * 9_000,
        b"",
    ],
)
def test_what_does_not(record: bytes) -> None:
    assert not publishes(record, key(RSA))
