"""The two ways in: files (stage, prove complete, merge) and events (apply the inbox)."""
