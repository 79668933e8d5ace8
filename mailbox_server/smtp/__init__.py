"""SMTP and LMTP as a server: octets to commands, commands to replies, on aiosmtpd's protocol."""
