"""The tables of the configuration file, by subject; app.settings joins them to the whole file."""
