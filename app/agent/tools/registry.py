"""The tools by name, with the schemas that models are given."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.agent.tools.arguments import Arguments

Handler = Callable[[UUID, Any], Awaitable[Any]]
_Decorator = Callable[[Handler], Handler]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: `handler` takes the caller's id and the checked arguments, and returns JSON."""

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


def merged(*registries: Mapping[str, Tool]) -> ToolRegistry:
    """One registry of several."""
    whole = ToolRegistry()
    for registry in registries:
        whole.update(registry)
    return whole
