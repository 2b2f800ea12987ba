"""Every tool that is offered."""

from app.agent.tools import analytics_tools, market_tools, portfolio_tools
from app.agent.tools.registry import merged

TOOLS = merged(portfolio_tools.TOOLS, market_tools.TOOLS, analytics_tools.TOOLS)
