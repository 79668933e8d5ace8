"""Tests of mailbox_server.pop3."""
