"""No key of the configuration is without effect: each is read outside of it, in a module that speaks of its section, or
by what the configuration itself makes of it and others read."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

import promptsync
from promptsync.config.section import Section
from promptsync.config.sections import Config

PACKAGE = Path(promptsync.__file__).parent
TREES = {path.relative_to(PACKAGE): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


def names_read(nodes: Iterable[ast.AST]) -> set[str]:
    found = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return found | {node.id for node in nodes if isinstance(node, ast.Name)}


OUTSIDE = [names_read(list(ast.walk(tree))) for path, tree in TREES.items() if path.parts[0] != "config"]
"""Of each module outside of the configuration, the names that it reads."""
EVERYWHERE = set().union(*OUTSIDE)


def passed_on() -> Iterator[set[str]]:
    """Of each function of the configuration that others call, the names that it reads, and the class it belongs to."""
    for path, tree in TREES.items():
        if path.parts[0] != "config":
            continue
        owners = {id(inner): node.name for node in tree.body if isinstance(node, ast.ClassDef) for inner in node.body}
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name in EVERYWHERE:
                yield names_read(list(ast.walk(node))) | {owners.get(id(node), "")}


PLACES = [*OUTSIDE, *passed_on()]


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
        if not any({name, "model_fields"} & read and homes & read for read in PLACES)
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
