"""What a chat turn may take. Read as `bounds.NAME`, so that a test can change one."""

# The stream.
HEARTBEAT_SECONDS = 15.0
TURN_SECONDS = 180.0
STREAMS_PER_USER = 3

# What the model is given.
HISTORY_MESSAGES = 10
HISTORY_CHARACTERS = 4_000
TOOL_RESULT_CHARACTERS = 10_000
GROUNDING_SECONDS = 10.0

# What the model may do.
TOOL_ROUNDS = 5
CALLS_PER_ROUND = 8
TOOL_SECONDS = 30.0
ANSWER_CHARACTERS = 60_000
MODEL_LINE_BYTES = 1_048_576

# When a model fails before the first token.
MAX_RETRIES = 2
BACKOFF_MS = 500
BACKOFF_JITTER_MS = 250
BACKOFF_CAP_MS = 5_000
LONGEST_RETRY_AFTER_SECONDS = 30.0

# Memories that are noted after an answer.
EXTRACTION_SECONDS = 30.0
EXTRACTIONS_AT_ONCE = 4
EXTRACTION_ANSWER_CHARACTERS = 50

# Where the chat of a verification says that it is; nothing is learned from it.
VERIFICATION_ROUTE = "/verification"
