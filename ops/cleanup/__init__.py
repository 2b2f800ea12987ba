"""Phase 11: the old database and what else is left of the move are removed, on evidence."""

from ops.books.tombstones import Tombstone, cleaned_up

__all__ = ["Tombstone", "cleaned_up"]
