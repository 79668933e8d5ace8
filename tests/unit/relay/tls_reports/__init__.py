"""Tests of mailbox_server.relay.tls_reports, a file for each module."""
