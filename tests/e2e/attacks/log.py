"""What the log says up to this moment: it is written by a thread of its own, a little later."""

import time
from itertools import count
from typing import Any

from tests.e2e.appliance import Appliance
from tests.e2e.attacks.raw import PATIENCE_SECONDS, raw

_NUMBERS = count(1)


def events_up_to_now(appliance: Appliance) -> list[dict[str, Any]]:
    """Every event told before this call, and those of one refused recipient."""
    mark = f"mark-{next(_NUMBERS)}@elsewhere.test"
    with raw(appliance, "smtp") as one:
        assert one.say(b"EHLO mark").startswith(b"250")
        assert one.say(b"MAIL FROM:<>").startswith(b"250")
        assert one.say(b"RCPT TO:<" + mark.encode() + b">").startswith(b"550")
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = appliance.events()
        if any(event.get("recipient") == mark for event in found):
            return found
        assert time.monotonic() < until
        time.sleep(0.01)
