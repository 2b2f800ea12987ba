"""The chat: conversations, streamed answers, and the tools that answers are made of."""
