"""What `promptsync doctor` looks at: configuration, machine, mirror, and what is known of the vendors by now.

Owns the questions and the sentences of their answers. Decisions are pure and take the observed facts; what observes
them only reads. Prints nothing and changes nothing.
"""

from promptsync.checks.finding import Finding, Level

__all__ = ["Finding", "Level"]
