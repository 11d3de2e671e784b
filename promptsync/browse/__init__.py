"""Datasette over the mirror: read-only pages for people. Writes nothing, and never needs the daemon to be running."""
