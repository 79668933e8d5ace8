"""OAUTHBEARER (RFC 7628) and XOAUTH2 (Google's forerunner of it), over our own tokens.

Both carry a login and a token in one response; the token is an app password.  What fails is
told in a challenge, which the client answers before the exchange ends (RFC 7628 §3.2.3).

Departures: a token does not say whose it is, so who leaves the login out is refused; host
and port are not looked at, since our tokens are good for this server alone.
"""

import re
from typing import Final

from mailbox_server.auth.sasl_steps import CheckToken, Malformed, Step
from mailbox_server.model.account import ScramKeys

REFUSAL: Final = b'{"status":"invalid_token"}'
"""For the challenge that tells of a failure."""

_OAUTHBEARER: Final = re.compile(
    rb"[ny],(?:a=(?P<login>[^,\x00\x01]+))?,\x01(?P<pairs>(?:[A-Za-z]+=[^\x00\x01]*\x01)*)\x01\Z"
)
_XOAUTH2: Final = re.compile(
    rb"user=(?P<login>[^\x00\x01]+)\x01(?P<pairs>(?:[A-Za-z]+=[^\x00\x01]*\x01)+)\x01\Z"
)
_CREDENTIAL: Final = re.compile(rb"(?:\A|\x01)auth=(?i:bearer) +([A-Za-z0-9._~+/=-]+)\x01")


class _Bearer:
    """The server's side of one exchange."""

    form: re.Pattern[bytes]

    def receive(self, response: bytes) -> Step:
        """Take the only response."""
        found = self.form.match(response)
        credential = None if found is None else _CREDENTIAL.search(found["pairs"])
        if found is None or credential is None:
            return Malformed("not a bearer token with its login")
        try:
            login = (
                (found["login"] or b"").replace(b"=2C", b",").replace(b"=3D", b"=").decode("utf-8")
            )
        except UnicodeDecodeError:
            return Malformed("the login is UTF-8")
        return CheckToken(login, credential[1].decode("ascii"))

    def supply(self, keys: ScramKeys) -> Step:
        """No keys are asked for."""
        return Malformed("a bearer token needs no keys")


class OauthBearer(_Bearer):
    """OAUTHBEARER (RFC 7628 §3.1); the login stands as authorization identity."""

    form = _OAUTHBEARER


class Xoauth2(_Bearer):
    """XOAUTH2."""

    form = _XOAUTH2
