"""Our own SMTP client: one connection to one host, many transactions, each recipient's answer."""
