"""promptsync: a local, always current SQLite mirror of a text messaging account."""

__version__ = "0.1.0"
