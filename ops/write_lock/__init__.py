"""The lock of legacy against writes: set, proved, released."""
