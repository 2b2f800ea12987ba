"""What the agent is taught: documents on its tools, on terms, and on what people ask."""
