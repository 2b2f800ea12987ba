"""Language models behind any endpoint that speaks the OpenAI chat-completions protocol."""
