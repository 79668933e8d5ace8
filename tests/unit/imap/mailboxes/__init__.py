"""Unit tests of imap/mailboxes, a file for each module."""
