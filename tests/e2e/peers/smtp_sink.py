"""Postfix's smtp-sink: an SMTP server that swallows mail, and misbehaves where it is told to."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.e2e.appliance import free_port
from tests.e2e.peers.programs import await_listening, need


@contextlib.contextmanager
def smtp_sink(*flags: str, dump: Path | None = None) -> Iterator[int]:
    """Run one and give its port; dump: a folder that gets each message as a file."""
    port = free_port()
    keeping = [] if dump is None else ["-d", f"{dump}/%H."]
    user = ["-u", "root"] if os.geteuid() == 0 else []
    process = subprocess.Popen(
        [need("smtp-sink"), *user, *flags, *keeping, f"127.0.0.1:{port}", "50"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await_listening(process, port)
        yield port
    finally:
        process.kill()
        process.wait()
