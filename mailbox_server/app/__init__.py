"""Settings from TOML, the composition root, run and stop."""
