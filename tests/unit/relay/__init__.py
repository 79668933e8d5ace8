"""Tests of mailbox_server.relay, a file for each module."""
