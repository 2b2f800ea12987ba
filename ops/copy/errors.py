"""What a copy can fail of beyond the conditions that every phase knows."""

from ops.errors import BadInputError, ConfigurationError, WrongDatabaseError


class LegacyShapeError(BadInputError):
    """Legacy lacks a column without which no row of a table can be made."""


class LegacyUnreadableError(BadInputError):
    """Legacy answers, but a table or view of it cannot be read."""


class CoreShapeError(WrongDatabaseError):
    """Core lacks a table or key that the copy writes by."""


class OtherLegacyError(WrongDatabaseError):
    """Another old database answers than the one that was copied from."""


class CoreTooOldError(ConfigurationError):
    """Core's server cannot check foreign values."""


class CoreRefusedRowsError(BadInputError):
    """Core refused what the copy's own checks had let pass; nothing was changed."""
