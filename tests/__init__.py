"""The tests of mailbox-server; `tests/run.sh` runs them all."""
