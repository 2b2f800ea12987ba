"""One backend that holds both pairs: from which it answers a request, and when that waits."""
