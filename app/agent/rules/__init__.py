"""The rule-based responder: it answers without a language model, from the tools' figures."""
