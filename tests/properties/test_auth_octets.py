"""Whatever a client sends into a login: no exception, and forms that are final."""

import base64

from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_server.auth.base_64 import decode_base_64
from mailbox_server.auth.link import Link
from mailbox_server.auth.precis import login_form, opaque_string, saslprep
from mailbox_server.auth.sasl import MECHANISMS, MechanismRow
from mailbox_server.auth.sasl_steps import (
    CheckCertificate,
    CheckPassword,
    Malformed,
    NeedKeys,
    Proven,
)
from mailbox_server.auth.scram import derive_keys
from mailbox_server.auth.token_secrets import secret_digest
from mailbox_server.model.errors import PasswordMalformed
from mailbox_server.model.ports import SystemEntropy
from mailbox_server.net.tls_ends import TlsEnds

LINK = Link(is_confidential=True, ends=TlsEnds(b"digest"), shows_binding=True)
KEYS = derive_keys("secret", b"0123456789abcdef", 1)

scram_like = st.lists(
    st.sampled_from(
        [
            b"n",
            b"y",
            b"p=x",
            b"p=tls-server-end-point",
            b",",
            b"n=ann",
            b"r=abc",
            b"a=b",
            b"c=biws",
            b"p=AAAA",
        ]
    )
    | st.binary(max_size=6),
    max_size=10,
).map(b"".join)


@given(
    row=st.sampled_from(MECHANISMS),
    responses=st.lists(st.binary(max_size=60) | scram_like, min_size=1, max_size=4),
)
def test_a_mechanism_never_raises_and_comes_to_an_end(
    row: MechanismRow, responses: list[bytes]
) -> None:
    mechanism = row.make(SystemEntropy(), LINK)
    for response in responses:
        step = mechanism.receive(response)
        if isinstance(step, NeedKeys):
            step = mechanism.supply(KEYS)
        assert not isinstance(step, Proven) or not step.matches
        if isinstance(step, CheckPassword):
            assert step.login
            assert step.password
            assert "\0" not in step.login + step.password + step.authzid
        if isinstance(step, CheckCertificate):
            assert "\0" not in step.authzid
        if isinstance(step, Malformed | CheckPassword | CheckCertificate | Proven):
            break


@given(st.binary(max_size=40))
def test_base_64_comes_back(octets: bytes) -> None:
    assert decode_base_64(base64.b64encode(octets)) == octets


@given(st.binary(max_size=40))
def test_only_the_alphabet_is_base_64(octets: bytes) -> None:
    decoded = decode_base_64(octets)
    if decoded is not None:
        assert base64.b64encode(decoded)[: len(octets) - 4] == octets[:-4]


@given(st.text(max_size=40))
def test_a_prepared_password_stays_as_it_is(text: str) -> None:
    try:
        prepared = opaque_string(text)
    except PasswordMalformed:
        return
    assert opaque_string(prepared) == prepared
    assert prepared


@settings(max_examples=50)
@given(st.text(max_size=40))
def test_saslprep_and_logins_refuse_or_answer(text: str) -> None:
    for prepare in (saslprep, login_form):
        try:
            assert prepare(text)
        except PasswordMalformed:
            continue


@given(st.text(max_size=100))
def test_any_text_may_be_typed_for_an_app_password(text: str) -> None:
    digest = secret_digest(text)
    assert digest is None or len(digest) == 32
