"""What differs between SQLite and PostgreSQL: pragmas, begin modes, error codes."""
