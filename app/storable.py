"""Text that PostgreSQL and JSON can hold."""


def storable(text: str) -> str:
    """`text` without what a text column refuses: NUL and halves of surrogate pairs."""
    return text.replace("\0", "").encode(errors="ignore").decode()


def is_storable(text: str) -> bool:
    """Whether a text column takes it as it is."""
    return storable(text) == text
