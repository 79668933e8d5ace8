"""IMAP: engine, grammar, commands and the selected view, on Twisted."""
