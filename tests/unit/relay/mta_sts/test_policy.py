"""Policies and their records are read as RFC 8461 writes them, and refused whole otherwise."""

import pytest

from mailbox_server.model.sts_policy import StsMode, StsPolicy
from mailbox_server.relay.mta_sts.policy import LONGEST_AGE_SECONDS, read_policy, read_policy_id

SOUND = (
    b"version: STSv1\r\nmode: enforce\r\nmx: Mail.example.com\r\n"
    b"mx: *.example.net\r\nmax_age: 604800\r\n"
)
POLICY = StsPolicy(StsMode.ENFORCE, ("mail.example.com", "*.example.net"), 604_800)


@pytest.mark.parametrize(
    "octets",
    [
        SOUND,
        SOUND.replace(b"\r\n", b"\n"),
        SOUND.rstrip(),
        SOUND + b"\n\r\n\n",
        SOUND.replace(b": ", b":"),
        SOUND.replace(b": ", b": \t  "),
        SOUND.replace(b"\r\n", b" \t\r\n"),
        b"max_age: 604800\nx-more: caf\xc3\xa9 : =;\n" + SOUND,
        SOUND + b"max_age: 1\nmode: none\nversion: STSv9\nmx: mail.example.com\n",
    ],
)
def test_the_same_policy_in_many_forms(octets: bytes) -> None:
    assert read_policy(octets) == POLICY


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\n",
        b"<!DOCTYPE html><html></html>",
        SOUND.replace(b"version: STSv1\r\n", b""),
        SOUND.replace(b"STSv1", b"STSv2"),
        SOUND.replace(b"STSv1", b"stsv1"),
        SOUND.replace(b"enforce", b"Enforce"),
        SOUND.replace(b"mode: enforce\r\n", b""),
        SOUND.replace(b"max_age: 604800\r\n", b""),
        SOUND.replace(b"604800", b"-1"),
        SOUND.replace(b"604800", b"1e9"),
        SOUND.replace(b"604800", b"9" * 11),
        SOUND.replace(b"604800", "٣٣".encode()),
        SOUND.replace(b"*.example.net", b"*"),
        SOUND.replace(b"*.example.net", b"*.*.example.net"),
        SOUND.replace(b"*.example.net", b"mail.*.net"),
        SOUND.replace(b"*.example.net", b"192.0.2.1"),
        SOUND.replace(b"*.example.net", b"example.net."),
        SOUND.replace(b"*.example.net", "bücher.example".encode()),
        SOUND.replace(b"*.example.net", b"a b"),
        SOUND.replace(b"*.example.net", b"x" * 300),
        SOUND.replace(b"mx: Mail.example.com\r\nmx: *.example.net\r\n", b""),
        SOUND.replace(b"\r\n", b"\r"),
        SOUND.replace(b"mode:", b"mode :"),
        SOUND.replace(b"mode:", b" mode:"),
        SOUND + b"no colon\n",
        SOUND + b"empty:\n",
        SOUND + b"nul: a\0b\n",
        SOUND + b"bad: \xff\n",
        SOUND + b"x" * 33 + b": y\n",
        SOUND + b"x: " + b"y" * 65_536,
        b"\xef\xbb\xbf" + SOUND,
        SOUND.decode().encode("utf-16"),
    ],
)
def test_what_is_no_policy(octets: bytes) -> None:
    assert isinstance(read_policy(octets), str)


def test_none_needs_no_hosts_and_asks_nothing() -> None:
    policy = read_policy(b"version: STSv1\nmode: none\nmax_age: 0\n")
    assert policy == StsPolicy(StsMode.NONE, (), 0)
    assert not policy.is_active


def test_no_policy_lives_longer_than_a_year() -> None:
    policy = read_policy(SOUND.replace(b"604800", b"9999999999"))
    assert isinstance(policy, StsPolicy)
    assert policy.max_age == LONGEST_AGE_SECONDS


def test_a_policy_as_text_is_the_same_policy() -> None:
    assert read_policy("\r\n".join(POLICY.lines()).encode()) == POLICY


@pytest.mark.parametrize(
    ("host", "matches"),
    [
        ("mail.example.com", True),
        ("mx.example.net", True),
        ("example.net", False),
        ("a.b.example.net", False),
        ("mail.example.com.evil.example", False),
        ("xmail.example.com", False),
        ("net", False),
        ("", False),
    ],
)
def test_hosts_that_a_policy_names(host: str, matches: bool) -> None:
    assert POLICY.names(host) is matches


@pytest.mark.parametrize(
    ("records", "identity"),
    [
        ([b"v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
        ([b"v=STSv1;id=a"], "a"),
        ([b"v=STSv1 ; id=a"], None),
        ([b"v=STSv1;\tid=a ;x=y; "], "a"),
        ([b"v=STSv1; x-1=y; id=a; id=b"], "a"),
        ([b"v=spf1 -all", b"v=STSv1; id=a"], "a"),
        ([b"v=STSv1; id=a", b"v=STSv1; id=a"], None),
        ([b"v=STSv2; id=a"], None),
        ([b" v=STSv1; id=a"], None),
        ([b"V=STSv1; id=a"], None),
        ([b"v=STSv1;"], None),
        ([b"v=STSv1"], None),
        ([b"v=STSv1; id="], None),
        ([b"v=STSv1; id=a-b"], None),
        ([b"v=STSv1; id=" + b"a" * 33], None),
        ([b"v=STSv1; id=a;;"], None),
        ([b"v=STSv1; id=a; x"], None),
        ([b"v=STSv1; id=a; x=a=b"], None),
        ([b"v=STSv1; id=\xc3\xa9"], None),
        ([b"v=STSv1; id=a\0"], None),
        ([b"v=STSv1; id=a;" + b"x=y;" * 2_000], None),
        ([], None),
    ],
)
def test_ids(records: list[bytes], identity: str | None) -> None:
    assert read_policy_id(records) == identity
