"""The command line: words for people, exit codes, nothing else."""

from promptsync.cli.app import main

__all__ = ["main"]
