"""Phase 11: the old database and what else is left of the move are removed, on evidence."""
