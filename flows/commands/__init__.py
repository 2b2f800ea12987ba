"""The commands of `sigmasight`, beyond the one-line ones of `flows.cli`."""
