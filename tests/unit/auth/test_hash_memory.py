"""What a hash took is given back; shown in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

HASH_AND_LOOK = """
import re
from mailbox_server.auth.passwords import HashCost, Passwords
from mailbox_server.model.ports import SystemEntropy

def resident():
    with open("/proc/self/status") as status:
        return int(re.search(r"VmRSS:\\s+(\\d+)", status.read())[1])

passwords = Passwords(HashCost(passes=1), SystemEntropy())
before = resident()
for _ in range(4):
    passwords.hash("secret")
print(resident() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_hashing_again_and_again_keeps_no_memory() -> None:
    """Without the setting it keeps the 19 MiB of a hash."""
    run = subprocess.run(
        [sys.executable, "-c", HASH_AND_LOOK], capture_output=True, text=True, check=True
    )
    assert int(run.stdout) < 8 * 1024
