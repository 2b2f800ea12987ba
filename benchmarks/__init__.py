"""Measurements against the floor or a peer in the same run. Nothing here is asserted."""
