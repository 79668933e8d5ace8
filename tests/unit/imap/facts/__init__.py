"""Unit tests of imap/facts, a file for each module."""
