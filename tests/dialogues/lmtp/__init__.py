"""Dialogues of LMTP: *.txt, played like those of SMTP."""
