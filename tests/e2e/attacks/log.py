"""What the log says from one moment to another; it is written by a thread of its own."""

import json
import time
from itertools import count
from typing import Any

from tests.e2e.appliance import Appliance
from tests.e2e.attacks.raw import PATIENCE_SECONDS, raw

_NUMBERS = count(1)


class Watch:
    """The log from now on; what it tells ends with the connection that leaves the mark."""

    def __init__(self, appliance: Appliance) -> None:
        self._appliance = appliance
        self._begun = 0
        self._begun = self._marked()

    @classmethod
    def of_start(cls, appliance: Appliance) -> "Watch":
        """Start the appliance, and watch from its first word on."""
        watch = cls.__new__(cls)
        watch._appliance = appliance
        watch._begun = appliance.log.stat().st_size
        appliance.start()
        return watch

    def text(self) -> str:
        """All that has been told by now."""
        end = self._marked()
        return self._read()[: end - self._begun].decode()

    def events(self) -> list[dict[str, Any]]:
        """The same, an event each."""
        return [json.loads(line) for line in self.text().splitlines()]

    def names_so_far(self) -> list[str]:
        """The events that have been written; others may be on their way."""
        whole, _, _ = self._read().rpartition(b"\n")
        return [json.loads(line)["event"] for line in whole.splitlines()]

    def errors(self) -> list[dict[str, Any]]:
        """Bugs and troubles of ours."""
        return [event for event in self.events() if event["level"] == "error"]

    def _read(self) -> bytes:
        with self._appliance.log.open("rb") as log:
            log.seek(self._begun)
            return log.read()

    def _marked(self) -> int:
        """Leave a mark, and wait for it; where its line ends in the file."""
        mark = b"mark-%d@elsewhere.test" % next(_NUMBERS)
        with raw(self._appliance, "smtp") as one:
            assert one.say(b"EHLO mark").startswith(b"250")
            assert one.say(b"MAIL FROM:<>").startswith(b"250")
            assert one.say(b"RCPT TO:<" + mark + b">").startswith(b"550")
        until = time.monotonic() + PATIENCE_SECONDS
        while (at := (found := self._read()).find(mark)) < 0 or b"\n" not in found[at:]:
            assert time.monotonic() < until
            time.sleep(0.005)
        return self._begun + found.index(b"\n", at) + 1
