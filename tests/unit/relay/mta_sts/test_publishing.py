"""What we publish is read by ourselves as what was meant."""

import pytest

from mailbox_server.model.address import Address, Domain
from mailbox_server.model.sts_policy import StsMode
from mailbox_server.relay.mta_sts.policy import read_policy, read_policy_id
from mailbox_server.relay.mta_sts.publishing import (
    own_policy,
    policy_host,
    policy_octets,
    policy_record,
    report_record,
)
from mailbox_server.relay.tls_reports.record import read_places

DOMAIN = Domain.parse("bücher.example")
HOSTS = (Domain("mail.example.org"), Domain("mx.example.net"), Domain("mail.example.org"))


def test_a_policy() -> None:
    policy = own_policy(StsMode.ENFORCE, HOSTS)
    assert policy.mx == ("mail.example.org", "mx.example.net")
    assert read_policy(policy_octets(policy)) == policy
    assert policy_host(DOMAIN) == "mta-sts.xn--bcher-kva.example"
    gone = own_policy(StsMode.NONE, ())
    assert read_policy(policy_octets(gone)) == gone
    with pytest.raises(ValueError, match="mail host"):
        own_policy(StsMode.TESTING, ())


def test_the_id_changes_with_the_policy_alone() -> None:
    policies = [own_policy(StsMode.ENFORCE, HOSTS), own_policy(StsMode.ENFORCE, HOSTS[:2])]
    policies += [own_policy(StsMode.TESTING, HOSTS), own_policy(StsMode.ENFORCE, HOSTS[:1])]
    name, text = policy_record(DOMAIN, policies[0])
    assert name == "_mta-sts.xn--bcher-kva.example"
    ids = [read_policy_id([policy_record(DOMAIN, policy)[1].encode()]) for policy in policies]
    assert None not in ids
    assert ids[0] == ids[1] and len(set(ids)) == 3
    assert text.isascii()


@pytest.mark.parametrize(
    "text", ["tls@example.org", "a+b=c@example.org", '"a,b;c!d e"@example.org']
)
def test_a_report_place(text: str) -> None:
    mailbox = Address.parse(text)
    name, record = report_record(DOMAIN, mailbox)
    assert name == "_smtp._tls.xn--bcher-kva.example"
    places = read_places([record.encode()])
    assert places is not None and places.mailboxes == (mailbox,)
