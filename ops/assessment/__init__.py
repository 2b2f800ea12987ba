"""The account of a whole old database: what becomes of every table and every column of it."""

from ops.assessment.account import Account, TableAccount, assess
from ops.assessment.fates import Fate

__all__ = ["Account", "Fate", "TableAccount", "assess"]
