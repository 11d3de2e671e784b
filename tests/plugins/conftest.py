"""The test kit itself serves the tests of plugins."""

from promptsync.testing import kit

__all__ = ["kit"]
