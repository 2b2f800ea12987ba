"""What a conversation is about: portfolios and the page that the client shows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self
from uuid import UUID

Mode = str
MODES: tuple[Mode, ...] = ("green", "blue", "indigo", "violet")


@dataclass(frozen=True, slots=True)
class ChatContext:
    """Portfolios and page of a conversation; `selection` is of one turn and never stored."""

    portfolio_id: UUID | None = None
    portfolio_ids: tuple[UUID, ...] = ()
    page_hint: str | None = None
    route: str | None = None
    selection: dict[str, Any] | None = None

    @property
    def candidates(self) -> tuple[UUID, ...]:
        """Every portfolio that the conversation may mean, the preset one first."""
        preset = (self.portfolio_id,) if self.portfolio_id else ()
        return tuple(dict.fromkeys((*preset, *self.portfolio_ids)))

    def overlaid(self, newer: "ChatContext") -> "ChatContext":
        """This context with what a turn says anew; a portfolio replaces every older one."""
        moved = newer.portfolio_id is not None or bool(newer.portfolio_ids)
        whose = newer if moved else self
        return ChatContext(
            whose.portfolio_id,
            whose.portfolio_ids,
            newer.page_hint or self.page_hint,
            newer.route or self.route,
            newer.selection,
        )

    def limited_to(self, owned: Collection[UUID]) -> "ChatContext":
        """This context without portfolios that are not among these."""
        own = self.portfolio_id if self.portfolio_id in owned else None
        several = tuple(each for each in self.portfolio_ids if each in owned)
        return replace(self, portfolio_id=own, portfolio_ids=several)

    def metadata(self) -> dict[str, Any]:
        """The context as the conversation's row keeps it."""
        kept: dict[str, Any] = {"portfolio_id": _text(self.portfolio_id)}
        if self.portfolio_ids:
            kept["portfolio_ids"] = [str(each) for each in self.portfolio_ids]
        for name in ("page_hint", "route"):
            if value := getattr(self, name):
                kept[name] = value
        return kept

    @classmethod
    def from_metadata(cls, metadata: object) -> Self:
        """The context of a row, whoever wrote it: what does not read as one is left out."""
        found = metadata if isinstance(metadata, dict) else {}
        ids = found.get("portfolio_ids")
        several = [_uuid(each) for each in ids] if isinstance(ids, list) else []
        return cls(
            _uuid(found.get("portfolio_id")),
            tuple(each for each in several if each),
            _string(found.get("page_hint")),
            _string(found.get("route")),
        )


def as_texts(ids: Sequence[UUID]) -> list[str] | None:
    """Ids as the stream shows them; None where there are none."""
    return [str(each) for each in ids] or None


def _text(value: UUID | None) -> str | None:
    return str(value) if value else None


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
