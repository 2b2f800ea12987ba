"""What is in the way of a backend that is not ready, and what to do about it."""

from collections.abc import Mapping

from ops.http_answer import PAIR_HEADER, HttpAnswer

_SHOWN = 40
# The gate's refusal names no database, because it asks none.
_NOBODY_KNOWN = (
    "Core does not say which pair serves, and the old database does not answer, or is locked "
    "though Core knows no swap"
)


def in_the_way(answer: HttpAnswer) -> str:
    """Which databases are in the way of a backend that has said at /ready that it is not."""
    try:
        databases = dict(answer.json()["databases"])
        return databases_in_the_way(databases, old=answer.headers.get(PAIR_HEADER) == "old")
    except (KeyError, TypeError, ValueError):
        return _NOBODY_KNOWN if answer.status == 503 else f"/ready answers {answer.status}"


def databases_in_the_way(
    databases: Mapping[str, Mapping[str, object]], *, old: bool = False
) -> str:
    """Each that is, once.

    Args:
        databases: what /ready says of them.
        old: whether both halves are the old database.
    """
    told = (_sentence("old" if old else name, state) for name, state in databases.items())
    return "; ".join(dict.fromkeys(filter(None, told)))


def _sentence(name: str, state: Mapping[str, object]) -> str:
    revision = str(state["revision"] or "no revision")[:_SHOWN]
    match state["status"]:
        case "unreachable":
            return f"its {name} database does not answer it: look at its address and log"
        case "behind":
            return (
                f"its {name} database is at {revision}, not {str(state['head'])[:_SHOWN]}: run"
                " `sigmasight migrate`, or redeploy it, if it is of another version"
            )
        case "legacy" if name != "old":
            return f"its {name} database is an old one, at {revision}: correct its address"
        case "incomplete":
            return (
                f"its {name} database: {state['reason']}; set LEGACY_SCHEMA to the schema where "
                "that is, or correct its address"
            )
        case _:
            return ""
