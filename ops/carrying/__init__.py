"""Users' rows between the pairs: what a swap or a rollback would lose, kept and brought back."""
