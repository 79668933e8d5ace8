"""POP3 whole: engine, session and server, over one account's INBOX."""
