"""The tools by name, with the schemas that models are given."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.agent.tools.arguments import Arguments, OfPortfolio
from app.ownership import owned_portfolio

Handler = Callable[[AsyncSession, UUID, Any], Awaitable[Any]]
_Decorator = Callable[[Handler], Handler]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: `handler` makes JSON of a Core session, the caller's id and the checked arguments."""

    name: str
    description: str
    arguments: type[Arguments]
    handler: Handler

    def schema(self) -> dict[str, Any]:
        """The tool as the chat-completions protocol declares one."""
        function = {
            "name": self.name,
            "description": self.description,
            "parameters": self.arguments.parameters(),
        }
        return {"type": "function", "function": function}


class ToolRegistry(dict[str, Tool]):
    """Tools by name, in the order in which they are offered."""

    def offer(self, name: str, description: str, arguments: type[Arguments]) -> _Decorator:
        """Register the decorated handler as a tool."""

        def register(handler: Handler) -> Handler:
            self[name] = Tool(name, description, arguments, handler)
            return handler

        return register

    def offer_figure(
        self,
        name: str,
        description: str,
        figure: Callable[..., Awaitable[Any]],
        arguments: type[OfPortfolio] = OfPortfolio,
        **fixed: Any,
    ) -> None:
        """Register what is known of one portfolio; `figure` is given the arguments by their names,
        and `fixed`."""

        async def handler(session: AsyncSession, user_id: UUID, wanted: OfPortfolio) -> Any:
            assert wanted.portfolio_id is not None, "prepare() fills it in"
            asked = wanted.model_dump(exclude={"portfolio_id"})
            portfolio = await owned_portfolio(session, user_id, wanted.portfolio_id)
            return await figure(session, portfolio, **asked, **fixed)

        self.offer(name, description, arguments)(handler)
