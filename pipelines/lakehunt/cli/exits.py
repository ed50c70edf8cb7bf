"""Exit codes of every command."""

SUCCESS = 0
FAILURE = 1
"""Something failed: a hunt, a test, a batch, a table."""

USAGE = 2
"""The command was called with arguments that it does not accept."""

INTERRUPTED = 130
