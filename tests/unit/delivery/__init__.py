"""Tests of mailbox_server.delivery, a file for each module."""
