"""The daily batch over a range of trading days, written in sets."""
