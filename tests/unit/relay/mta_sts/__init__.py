"""Tests of mailbox_server.relay.mta_sts, a file for each module."""
