"""Unit tests of IMAP commands, a file for each module."""
