"""Whether each database holds what its chain builds, and nothing else."""

from app.chain_folders import ChainName
from app.migration_recognition import AI_TABLES, CORE_TABLES
from ops.drift import drift
from ops.drift.audit import is_shared
from ops.sql_files import statement
from ops.verify.report import Verdict, judged
from ops.verify.subject import Subject

_SHOWN = 3


def schema(subject: Subject, *, chain: ChainName) -> Verdict:
    """Exactly the chain's tables and Alembic's own, at the head, without drift.

    Warnings are shown and do not fail.
    """
    with subject.core() if chain == "core" else subject.ai() as connection:
        shared = is_shared(connection)
        tables = connection.execute(statement("verify/tables")).fetchall()
    expected = _expected_tables(chain, shared=shared)
    differences = drift(subject.core_url if chain == "core" else subject.ai_url, chain)
    errors = [each.message for each in differences if each.severity == "error"]
    warnings = [each.message for each in differences if each.severity == "warning"]
    lines = [f"{len(tables)} tables of {expected}", f"{len(errors)} differences"]
    lines += errors[:_SHOWN] + [f"warning: {warning}" for warning in warnings[:_SHOWN]]
    return judged(
        len(tables) == expected and not errors,
        "; ".join(lines),
        tables=len(tables),
        expected=expected,
        errors=len(errors),
        warnings=len(warnings),
    )


def _expected_tables(chain: ChainName, *, shared: bool) -> int:
    if shared:
        return len(CORE_TABLES) + len(AI_TABLES) + 2
    return len(CORE_TABLES if chain == "core" else AI_TABLES) + 1
