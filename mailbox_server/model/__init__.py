"""The nouns: frozen values, enums, pure rules, the error tree and the ports, free of I/O."""
