"""The grammar of IMAP commands: octets to frozen values, without I/O."""
