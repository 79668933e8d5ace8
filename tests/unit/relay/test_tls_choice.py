"""The table of cases: what DANE, MTA-STS, REQUIRETLS and TLS-Required come to for one host."""

import pytest

from mailbox_server.model.sts_policy import StsMode, StsPolicy
from mailbox_server.model.tls_demand import Association, TlsDemand, TlsLevel, TlsPolicy
from mailbox_server.relay.dane import HostTlsa, Trouble
from mailbox_server.relay.tls_choice import Circumstances, TlsWish, Unfit, choose

HOST = "mx.example.net"
KEY = Association(3, 1, 1, b"\1" * 32)
DANE = HostTlsa("real.example.net", (KEY,))
USELESS = HostTlsa(HOST, ())
BROKEN = Trouble.LOOKUP_FAILED
ENFORCE = StsPolicy(StsMode.ENFORCE, ("*.example.net",), 86_400)
TESTING = StsPolicy(StsMode.TESTING, ("*.example.net",), 86_400)
NO_MODE = StsPolicy(StsMode.NONE, (), 86_400)
ENFORCE_OTHER = StsPolicy(StsMode.ENFORCE, ("mx.example.org",), 86_400)
TESTING_OTHER = StsPolicy(StsMode.TESTING, ("mx.example.org",), 86_400)

UNSAID, REQUIRED, OPTIONAL = TlsWish.UNSAID, TlsWish.REQUIRED, TlsWish.OPTIONAL

# What is known (TLSA, policy, secure name), what the message wishes, and what comes of it:
# a level with who asked for it and marks (t: testing, r: the peer must offer REQUIRETLS).
CASES = [
    (None, None, False, UNSAID, "opportunistic no-policy-found"),
    (None, None, True, UNSAID, "opportunistic no-policy-found"),
    (None, NO_MODE, False, UNSAID, "opportunistic no-policy-found"),
    (None, TESTING, False, UNSAID, "verified sts t"),
    (None, TESTING_OTHER, False, UNSAID, "opportunistic sts t"),
    (None, ENFORCE, False, UNSAID, "verified sts"),
    (None, ENFORCE_OTHER, False, UNSAID, Unfit.NOT_IN_POLICY),
    (DANE, None, True, UNSAID, "dane tlsa"),
    (DANE, ENFORCE, True, UNSAID, "dane tlsa"),
    (DANE, ENFORCE_OTHER, True, UNSAID, "dane tlsa"),
    (DANE, TESTING, True, UNSAID, "dane tlsa"),
    (USELESS, None, True, UNSAID, "encrypted tlsa"),
    (USELESS, NO_MODE, True, UNSAID, "encrypted tlsa"),
    (USELESS, TESTING, True, UNSAID, "encrypted tlsa"),
    (USELESS, TESTING_OTHER, True, UNSAID, "encrypted tlsa"),
    (USELESS, ENFORCE, True, UNSAID, "verified sts"),
    (USELESS, ENFORCE_OTHER, True, UNSAID, Unfit.NOT_IN_POLICY),
    (BROKEN, None, True, UNSAID, Unfit.DNSSEC_BROKEN),
    (BROKEN, ENFORCE, True, UNSAID, Unfit.DNSSEC_BROKEN),
    (None, None, False, REQUIRED, Unfit.NOT_AUTHENTIC),
    (None, None, True, REQUIRED, "verified requiretls r"),
    (None, NO_MODE, False, REQUIRED, Unfit.NOT_AUTHENTIC),
    (None, TESTING, False, REQUIRED, "verified sts r"),
    (None, TESTING_OTHER, False, REQUIRED, Unfit.NOT_AUTHENTIC),
    (None, TESTING_OTHER, True, REQUIRED, "verified requiretls r"),
    (None, ENFORCE, False, REQUIRED, "verified sts r"),
    (None, ENFORCE_OTHER, True, REQUIRED, Unfit.NOT_IN_POLICY),
    (DANE, None, True, REQUIRED, "dane tlsa r"),
    (DANE, ENFORCE_OTHER, True, REQUIRED, "dane tlsa r"),
    (USELESS, None, True, REQUIRED, "verified requiretls r"),
    (USELESS, ENFORCE, True, REQUIRED, "verified sts r"),
    (BROKEN, None, True, REQUIRED, Unfit.DNSSEC_BROKEN),
    (None, None, False, OPTIONAL, "opportunistic tls-required-no"),
    (None, ENFORCE, False, OPTIONAL, "opportunistic tls-required-no"),
    (None, ENFORCE_OTHER, False, OPTIONAL, "opportunistic tls-required-no"),
    (DANE, ENFORCE, True, OPTIONAL, "opportunistic tls-required-no"),
    (BROKEN, None, True, OPTIONAL, "opportunistic tls-required-no"),
]


def told(outcome: TlsDemand | Unfit) -> str | Unfit:
    if isinstance(outcome, Unfit):
        return outcome
    marks = [outcome.level.value, outcome.policy.value]
    marks += ["t"] * outcome.is_testing + ["r"] * outcome.must_require_tls
    return " ".join(marks)


@pytest.mark.parametrize(("tlsa", "policy", "is_secure", "wish", "outcome"), CASES)
def test_cases(
    tlsa: HostTlsa | Trouble | None,
    policy: StsPolicy | None,
    is_secure: bool,
    wish: TlsWish,
    outcome: str | Unfit,
) -> None:
    found = Circumstances(HOST, ("example.net",), is_secure, tlsa, policy)
    assert told(choose(found, wish)) == outcome


@pytest.mark.parametrize("wish", [UNSAID, REQUIRED])
def test_dane_names_the_base_and_the_domain_in_all_its_forms(wish: TlsWish) -> None:
    found = Circumstances(HOST, ("alias.example", "example.net"), True, DANE, None)
    demand = choose(found, wish)
    assert isinstance(demand, TlsDemand)
    assert demand.server_name == "real.example.net"
    assert demand.names == ("real.example.net", "alias.example", "example.net")
    assert demand.associations == (KEY,)


def test_a_policy_wants_the_host_itself_in_the_certificate() -> None:
    demand = choose(Circumstances(HOST, ("example.net",), False, None, ENFORCE), UNSAID)
    assert isinstance(demand, TlsDemand)
    assert (demand.server_name, demand.names) == (HOST, (HOST,))
    assert (demand.level, demand.policy) == (TlsLevel.VERIFIED, TlsPolicy.STS)
