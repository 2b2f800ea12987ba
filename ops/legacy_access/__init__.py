"""The account of who accesses legacy after a swap."""
