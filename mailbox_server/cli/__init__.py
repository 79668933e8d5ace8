"""The operator's verbs, one file a noun; main.VERBS is the literal table of them."""
