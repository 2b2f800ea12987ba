"""Phase 9 and its way back: the swap of the active pair, what it costs, and what proves it."""
