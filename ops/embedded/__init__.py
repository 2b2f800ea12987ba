"""Real PostgreSQL servers on this machine, from the binaries of a pip package."""
