"""Memory of the idle appliance, with idling clients, and while large mails pass."""

import asyncio
import imaplib
import resource

from tests.bench.contest import Contestant, contestants
from tests.bench.process_tree import pss_mib
from tests.bench.smtp import send


def _idle(side: Contestant, count: int) -> list[imaplib.IMAP4]:
    clients = []
    for _ in range(count):
        client = imaplib.IMAP4("127.0.0.1", side.imap)
        client.login(side.login, side.password)
        client.select("INBOX")
        client.send(b"x IDLE\r\n")
        client.readline()
        clients.append(client)
    return clients


def run(clients: int) -> None:
    """Print the table."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * clients + 200)), hard))
    with contestants("[net]\nconnections = 5000\n") as sides:
        for side in sides:
            print(f"idle: {side.name} {pss_mib(*side.pids):.1f} MiB", flush=True)
        for side in sides:
            held = _idle(side, clients)
            print(f"{clients} idling clients: {side.name} {pss_mib(*side.pids):.1f} MiB")
            for client in held:
                client.shutdown()
        for side in sides[:1]:
            before = pss_mib(*side.pids)
            asyncio.run(send(side, 1, 1, 40 << 20, 1))
            print(f"one 40 MiB mail: {side.name} +{pss_mib(*side.pids) - before:.1f} MiB")
