"""Backups that are proved: a dump, its checksum, and its restored copy found equal."""

# How many proved dumps of each database stay.
KEPT = 7
