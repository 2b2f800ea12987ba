"""Every tool that is offered."""

from app.agent.tools import analytics_tools, market_tools, portfolio_tools

TOOLS = portfolio_tools.TOOLS | market_tools.TOOLS | analytics_tools.TOOLS
