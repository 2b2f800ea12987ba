"""Compare what a backend answers with the databases that it serves from."""
