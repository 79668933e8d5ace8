"""Tests of mailbox_server.auth."""
