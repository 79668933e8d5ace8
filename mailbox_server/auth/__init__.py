"""Who is this: SASL, passwords, app passwords, throttling; the only home of passlib."""
