"""What the mirror must then say, worked out apart from promptsync."""
