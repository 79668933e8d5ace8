"""`python -m tests.bench smtp|imap|pop3|memory`: run one table; it installs nothing."""

import argparse

from tests.bench import imap, memory, pop3, smtp


def main() -> None:
    """Read the arguments and run the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("table", choices=("smtp", "imap", "pop3", "memory"))
    parser.add_argument("--runs", type=int, default=4, help="interleaved runs of each measurement")
    parser.add_argument("--messages", type=int, default=10_000, help="messages in the mailbox")
    parser.add_argument("--clients", type=int, default=1_000, help="idling clients")
    chosen = parser.parse_args()
    if chosen.table == "smtp":
        smtp.run(chosen.runs)
    elif chosen.table == "imap":
        imap.run(chosen.runs, chosen.messages)
    elif chosen.table == "pop3":
        pop3.run(chosen.runs, chosen.messages)
    else:
        memory.run(chosen.clients)


if __name__ == "__main__":
    main()
