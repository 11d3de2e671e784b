"""The order of the house: imports point down, in no circle, none hidden; every module is described and small."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "promptsync"
VOCABULARY = frozenset({"errors", "clock", "model"})
CONTRACT = frozenset({"hookspecs", "plugins"})

MAY_IMPORT: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "clock": frozenset(),
    "model": frozenset({"errors", "clock"}),
    "config": frozenset({"errors"}),
    "merge": VOCABULARY,
    "hookspecs": VOCABULARY | CONTRACT,
    "plugins": VOCABULARY | CONTRACT,
    "store": VOCABULARY | {"merge"},
    "formats": VOCABULARY,
    "sources": VOCABULARY | CONTRACT,
    "ingest": VOCABULARY | CONTRACT | {"store", "formats", "merge"},
    "checks": VOCABULARY | {"config"},
    "browse": VOCABULARY | {"__version__"},
    "demo": VOCABULARY,
}
"""Each part and what it may import of the others; what is not here wires them and may import all but the faces."""

FACES = frozenset({"cli", "browse", "demo"})

AGREED: dict[tuple[str, str], str] = {
    ("formats.content_blocks", "merge.block_index"): "what is cut and what is known are told in the same arrays",
    ("ingest.built_in", "config"): "the built-in plugin's settings are the configuration's own",
    ("demo.home", "control"): "the play asks the daemon for exports as any command does",
    ("demo.run", "store.connect"): "the play looks into the mirror as any reader does",
}

LATE: dict[str, str] = {
    "cli/browse.py": "Datasette takes longer to import than every other command to run",
}
"""Files that import within a function, and why."""


def modules() -> dict[str, Path]:
    """Module name below promptsync to file; packages by their own name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts).removesuffix("__init__").removesuffix(".")] = path
    return found


MODULES = modules()
TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}


def imported(name: str) -> Iterator[str]:
    """The modules below promptsync that a module imports when it is run, type checking apart."""
    yield from _imports(TREES[name].body)


def _imports(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        for inner in ast.walk(node):
            if isinstance(inner, ast.Import):
                yield from (alias.name.removeprefix("promptsync.") for alias in inner.names if _ours(alias.name))
            elif isinstance(inner, ast.ImportFrom):
                yield from _from(inner)


def _from(node: ast.ImportFrom) -> Iterator[str]:
    assert node.level == 0, "imports are absolute"
    if not _ours(node.module or ""):
        return
    home = (node.module or "").removeprefix("promptsync").removeprefix(".")
    for alias in node.names:
        inner = f"{home}.{alias.name}".removeprefix(".")
        yield inner if inner in MODULES or not home else home


def _ours(module: str) -> bool:
    return module == "promptsync" or module.startswith("promptsync.")


def part(module: str) -> str:
    """The folder or top-level module that a module belongs to."""
    return module.split(".")[0]


@pytest.mark.parametrize("name", [name for name in MODULES if name])
def test_imports_point_down(name: str) -> None:
    allowed = MAY_IMPORT.get(part(name))
    for target in imported(name):
        agreed = any((name, other) in AGREED for other in (target, part(target)))
        if allowed is not None and part(target) != part(name):
            assert part(target) in allowed or agreed, f"{name} must not import {target}"
        if part(name) not in FACES | {"__main__"}:
            assert part(target) not in FACES, f"{name} is below {target}"


def test_what_was_agreed_is_still_needed() -> None:
    needed = {(name, other) for name in MODULES if name for t in imported(name) for other in (t, part(t))}
    assert set(AGREED) <= needed


def test_imports_make_no_circle() -> None:
    """A package's own ``__init__`` is left out: it names what its modules offer."""
    graph = {name: {t for t in imported(name) if t in MODULES and t != name} for name, path in MODULES.items()}
    packages = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    for name in graph:
        graph[name] = {t for t in graph[name] if not (t in packages and name.startswith(f"{t}."))}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_imports_stand_at_the_top() -> None:
    late = set()
    for name, tree in TREES.items():
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and any(
                isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(function)
            ):
                late.add(str(MODULES[name].relative_to(PACKAGE)))
    assert late == set(LATE)


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is_and_stays_small(name: str) -> None:
    assert ast.get_docstring(TREES[name]), f"{MODULES[name]} has no docstring"
    assert len(MODULES[name].read_text().splitlines()) <= 400
    assert MODULES[name].stem not in ("utils", "util", "helpers", "common", "misc")


def test_so_do_tests_and_plugins() -> None:
    for folder in ("tests", "plugins"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text()
            assert len(text.splitlines()) <= 400, path
            assert not text or ast.get_docstring(ast.parse(text)), path


def test_plugins_import_only_promptsync() -> None:
    """``promptsync`` itself, and ``promptsync.testing`` in their tests: nothing of its inside."""
    for path in (ROOT / "plugins").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name for name in names if _ours(name)} <= {"promptsync", "promptsync.testing"}, path


def test_functions_stay_short_and_take_few_parameters() -> None:
    """60 lines and six parameters at the most, ``self`` not counted."""
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                where = f"{name}.{node.name}"
                assert (node.end_lineno or 0) - node.lineno < 60, where
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                assert len([one for one in arguments if one.arg not in ("self", "cls")]) <= 6, where
