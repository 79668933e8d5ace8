"""Tests of mailbox_server.relay.queue, a file for each module."""
