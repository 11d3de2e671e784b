"""No key of the configuration is without effect: each is read outside of it, in a module that speaks of its section, or
by what the configuration itself makes of it and others read."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest

import promptsync
from promptsync.config.section import Section
from promptsync.config.sections import Config
from tests.trees import tree

PACKAGE = Path(promptsync.__file__).parent
INSIDE = PACKAGE / "config"
SHOWS = PACKAGE / "cli" / "config.py"  # every key, whether or not it has an effect


def names_read(node: ast.AST) -> set[str]:
    nodes = list(ast.walk(node))
    return {n.attr for n in nodes if isinstance(n, ast.Attribute)} | {n.id for n in nodes if isinstance(n, ast.Name)}


@cache
def places() -> list[set[str]]:
    """Of each module outside of the configuration, the names that it reads; of each function of the configuration that
    others call, the same, and the class it belongs to."""
    outside = [
        names_read(tree(path)) for path in PACKAGE.rglob("*.py") if {INSIDE, SHOWS}.isdisjoint((path, *path.parents))
    ]
    return [*outside, *passed_on(set().union(*outside))]


def passed_on(called: set[str]) -> Iterator[set[str]]:
    for path in INSIDE.rglob("*.py"):
        classes = [node for node in tree(path).body if isinstance(node, ast.ClassDef)]
        owners = {id(inner): node.name for node in classes for inner in node.body}
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef) and node.name in called:
                yield names_read(node) | {owners.get(id(node), "")}


def fields(section: type[Section], homes: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Each field with a value of its own, and the names by which its section is spoken of."""
    homes = homes | {kind.__name__ for kind in section.__mro__ if issubclass(kind, Section) and kind is not Section}
    for name, field in section.model_fields.items():
        inner = list(sections(field.annotation))
        for kind in inner:
            yield from fields(kind, frozenset({name}))
        if not inner:
            yield name, homes


def sections(annotation: Any) -> Iterator[type[Section]]:
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, Section):
            yield kind


def unused(section: type[Section], home: str) -> set[str]:
    return {
        name
        for name, homes in fields(section, frozenset({home}))
        if not any({name, "model_fields"} & read and homes & read for read in places())
    }


@pytest.mark.parametrize("name", sorted(Config.model_fields))
def test_every_key_is_read(name: str) -> None:
    (section,) = sections(Config.model_fields[name].annotation)
    assert unused(section, "Source" if name in ("nightly", "customerio") else name) == set()


def test_one_that_is_not_is_found() -> None:
    class BrowseConfig(Section):
        port: int = 0
        nobody_reads_this: str = ""
        settle: int = 0  # read, but of another section

    assert unused(BrowseConfig, "browse") == {"nobody_reads_this", "settle"}
