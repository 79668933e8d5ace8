"""Tests of mailbox_server.mime, a file for each module."""
