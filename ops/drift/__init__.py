"""Whether a live database is what its migration chain builds, object by object."""

from ops.drift.audit import drift, drift_of_pair
from ops.drift.difference import Difference

__all__ = ["Difference", "drift", "drift_of_pair"]
