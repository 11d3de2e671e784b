"""The package's own code as syntax trees, for the tests that ask what is written there."""

import ast
from functools import cache
from pathlib import Path


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file, parsed once in a process. Not to be changed."""
    return ast.parse(path.read_text())
