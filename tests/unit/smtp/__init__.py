"""Tests of mailbox_server.smtp, a file for each module."""
