"""The plans that dry runs have shown, and which of them an operator approved."""

from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy.engine import URL

from ops.books.session import open_books
from ops.connection import first_value
from ops.errors import RefusedError


def remember_shown(core: URL, plan_id: str, parts: Mapping[str, Any]) -> None:
    """Remember a plan, so that a later refusal can say what has moved since."""
    with open_books(core) as session:
        session.execute(
            "INSERT INTO ops.cleanup_plans (plan_id, parts) VALUES (%s, %s)"
            " ON CONFLICT (plan_id) DO NOTHING",
            [plan_id, Jsonb(dict(parts))],
        )


def shown_parts(core: URL, plan_id: str) -> Mapping[str, Any] | None:
    """The parts of a plan that was shown; None where none has this id."""
    with open_books(core) as session:
        parts: dict[str, Any] | None = first_value(
            session, "SELECT parts FROM ops.cleanup_plans WHERE plan_id = %s", [plan_id]
        )
    return parts


def approve(core: URL, plan_id: str) -> None:
    """Let a scheduled cleanup execute this plan, if nothing of it moves until then.

    Raises:
        RefusedError: no dry run has shown it.
    """
    with open_books(core) as session:
        known = session.execute(
            "UPDATE ops.cleanup_plans SET approved_at = now() WHERE plan_id = %s", [plan_id]
        ).rowcount
    if not known:
        raise RefusedError(
            f"no dry run has shown a plan {plan_id}; run `sigmasight cleanup` and approve its id"
        )


def last_approved(core: URL) -> str | None:
    """The plan that was approved last, if any."""
    with open_books(core) as session:
        plan_id: str | None = first_value(
            session,
            "SELECT plan_id FROM ops.cleanup_plans WHERE approved_at IS NOT NULL"
            " ORDER BY approved_at DESC LIMIT 1",
        )
    return plan_id


def waiver_of(core: URL, plan_id: str) -> str | None:
    """The waiver by which a plan does without a dump of the old database, if it has one."""
    parts = shown_parts(core, plan_id) or {}
    waivers = (part.get("waiver") for part in parts.values() if isinstance(part, dict))
    return next((str(waiver) for waiver in waivers if waiver), None)
