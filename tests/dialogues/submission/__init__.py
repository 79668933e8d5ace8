"""Dialogues of submission: *.txt, played into the session in memory and over real sockets."""
