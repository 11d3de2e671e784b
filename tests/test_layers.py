"""The order of the house: imports point down, in no circle, none hidden; SQL has its rooms; modules stay small."""

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.trees import tree

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "promptsync"
WORDS = frozenset({"errors", "clock", "model"})
CONTRACT = frozenset({"hookspecs", "plugins"})
DATA = WORDS | CONTRACT | {"merge", "store", "formats"}

MAY_IMPORT: dict[str, frozenset[str]] = {
    "": frozenset(),
    "errors": frozenset(),
    "clock": frozenset(),
    "whole_file": frozenset(),
    "model": frozenset({"errors", "clock"}),
    "config": frozenset({"errors", "whole_file"}),
    "hookspecs": WORDS | CONTRACT,
    "plugins": WORDS | CONTRACT,
    "merge": WORDS,
    "formats": WORDS,
    "store": WORDS | {"", "whole_file", "merge"},
    "places": WORDS,
    "events": DATA,
    "loading": DATA | {"events"},
    "vendors": DATA | {"events", "loading", "places", "config"},
    "webhook": WORDS | {"store", "vendors"},
    "docs": WORDS | {"vendors"},
    "engine": DATA | {"events", "loading", "places", "config", "vendors"},
    "drop": DATA | {"loading", "places", "engine"},
    "people": DATA | {"events", "loading", "config", "vendors", "engine", "drop"},
    "fetch": DATA | {"loading", "places", "config", "engine"},
    "backup": DATA | {"", "whole_file", "places", "config", "engine", "people", "fetch"},
    "status": DATA | {"config", "vendors", "fetch"},
    "daemon": DATA
    | {"", "loading", "places", "config", "vendors", "engine", "people", "drop", "fetch", "backup", "status"}
    | {"webhook"},
    "lake": DATA
    | {"", "whole_file", "events", "loading", "places", "config", "vendors", "engine", "people", "fetch", "webhook"},
    "testing": DATA | {"loading", "config", "vendors", "engine", "status"},
    "pytest_plugin": frozenset({"testing"}),
    "browse": WORDS | {"", "whole_file", "store", "docs"},
    "demo": WORDS | {"whole_file", "store", "daemon", "vendors"},
    "cli": DATA
    | {"", "whole_file", "config", "vendors", "engine", "people", "places", "fetch", "drop", "backup", "status"}
    | {"daemon", "browse", "demo", "docs", "lake"},
    "__main__": frozenset({"cli"}),
}
"""Every room, from the ground up, and the rooms that it may import. ``""`` is the package itself: its version."""

HOLD_SQL = frozenset(
    {"store", "merge", "browse.queries", "demo.truth.compare", "lake.fold_sql", "lake.engine_duckdb", "lake.readers"}
)
"""Where statements are written: two rooms, one package of the pages, the demo, which reads as any program would, and
what the lake says to other engines."""


_STATEMENT = re.compile(
    r"\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|CREATE|DROP|ALTER|PRAGMA|ATTACH|DETACH|BEGIN|COMMIT|ROLLBACK|VACUUM)\b(?!:)"
)

LATE: dict[str, str] = {
    "browse/spreadsheet.py": "most people look at pages, and few take a spreadsheet home",
    "cli/app.py": "most configurations enable no plugins",
    "cli/browse.py": "Datasette takes longer to import than every other command to run",
    "cli/completion.py": "what is offered is asked for by TAB alone, and every command names these functions",
    "cli/context.py": "a command imports the engine only if it works without a daemon, and rich only to show progress",
    "cli/lake_erase.py": "its libraries are an extra, too",
    "cli/lake.py": "its libraries are an extra; without it a sentence says how they are installed",
    "cli/lake_needs.py": "an engine, and its libraries, once they are known to be there",
    "cli/help.py": "rich is needed on a terminal only",
    "cli/extended.py": "most configurations enable no plugins",
    "cli/demo.py": "a visitor is given the address before the make-believe account is even imported",
    "events/suppression.py": "most mirrors have erased nobody, and reading numbers needs a library of its own",
    "lake/opening.py": "one engine is configured, and the libraries of the others need not be there",
    "pytest_plugin.py": "every run of pytest imports it, tests of plugins alone need the kit",
    "config/schedules.py": "most configurations give no schedule, and APScheduler brings asyncio",
    "daemon/client.py": "most commands find no daemon to ask",
    "vendors/qlara/vendor.py": "most commands ask for no export, and what asks for them needs an HTTP client",
    "daemon/operations.py": "few of them erase people or make backups",
    "daemon/tasks.py": "backups and their encryption are needed only where they are configured",
    "drop/intake.py": "a daemon may go without a file all day, and Arrow takes as much memory as all the rest of it",
    "fetch/files.py": "a daemon may find no file at its places all day",
    "loading/decoded.py": "few configurations enable plugins that filter rows",
    "loading/files.py": "a daemon may go without a file all day, and Arrow takes as much memory as all the rest of it",
    "places/opening.py": "few configurations name a place that SSH or the clients of object stores are needed for",
    "store/ledger.py": "numpy is needed only where a file is merged",
    "store/search.py": "few tables are so large that their search is built anew, and what stages it needs Arrow",
    "store/migrations.py": "sqlite-utils is needed only where a mirror is made or changed",
    "vendors/qlara/source.py": "few accounts have exports, and those once a day",
}
"""Files that import within a function, because a command's start would wait for it or a daemon keep it in memory, and
why it is rarely needed."""


def modules() -> dict[str, Path]:
    """Module name below promptsync to file; packages by their own name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts).removesuffix("__init__").removesuffix(".")] = path
    return found


MODULES = modules()


def trees() -> Iterator[tuple[str, ast.Module]]:
    """Module name to what is written in it."""
    return ((name, tree(path)) for name, path in MODULES.items())


def imported(name: str) -> Iterator[str]:
    """The modules below promptsync that a module imports when it is run, type checking apart."""
    yield from _imports(tree(MODULES[name]).body)


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
    """The room or top-level module that a module belongs to; a name of the package itself belongs to ``""``."""
    return module.split(".")[0] if module in MODULES else ""


def crossings() -> Iterator[tuple[str, str]]:
    """Module and imported module, of different rooms."""
    for name in MODULES:
        yield from ((name, target) for target in imported(name) if part(target) != part(name))


def test_every_room_is_listed_from_the_ground_up() -> None:
    assert set(MAY_IMPORT) == {part(name) for name in MODULES}
    below: set[str] = set()
    for room, allowed in MAY_IMPORT.items():
        assert allowed <= below | {room} | CONTRACT, f"{room} may import what is not below it"
        below.add(room)


def test_the_page_for_developers_names_every_room_and_only_what_is_there() -> None:
    page = (PACKAGE / "docs" / "developing.md").read_text()
    rooms = {room for room in MAY_IMPORT if (PACKAGE / room / "__init__.py").exists() and room}
    assert not {room for room in rooms if f"`{room}/`" not in page}
    named = set(re.findall(r"`([\w.]+/[\w./]*)`", page))
    assert not {name for name in named if not (PACKAGE / name).exists() and not (ROOT / name).exists()}


def test_imports_point_down() -> None:
    up = {f"{name} -> {target}" for name, target in crossings() if part(target) not in MAY_IMPORT[part(name)]}
    assert not up


def test_sql_is_written_in_its_rooms() -> None:
    """Statements are; what a docstring quotes is none."""
    rooms = {name: {name, part(name), name.rpartition(".")[0]} for name in MODULES}
    assert not {name for name in MODULES if not HOLD_SQL & rooms[name] and any(_statements(tree(MODULES[name])))}


def _statements(module: ast.Module) -> Iterator[str]:
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(module)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(module):
        text = node.value if isinstance(node, ast.Constant) and id(node) not in docstrings else None
        if isinstance(text, str) and _STATEMENT.match(text):
            yield text


VENDORS = sorted(path.parent.name for path in (PACKAGE / "vendors").glob("*/__init__.py"))
PLAY_THEM = frozenset({"vendors", "demo"})
"""The vendors' own rooms, and the demo, which writes and serves what they would."""


def test_vendors_are_entered_by_their_hooks_alone() -> None:
    """What a vendor has is got by the hooks, or by what ``vendors`` itself offers, never from its room."""
    rooms = tuple(f"vendors.{vendor}" for vendor in VENDORS)
    inside = {f"{name} -> {target}" for name, target in crossings() if target.startswith(rooms)}
    assert not {one for one in inside if part(one.partition(" ")[0]) not in PLAY_THEM}


_NAMES_ONE = re.compile(rf"({'|'.join(VENDORS)}|customer\.io)|(cio|qlara)(_.*)?", re.IGNORECASE)


def test_nothing_asks_which_vendor_it_is() -> None:
    """No comparison with a vendor's name and no test of the prefix of its tables; pages are about its very tables."""
    asks = set()
    for name, module in trees():
        if part(name) not in PLAY_THEM | {"browse"}:
            for node in ast.walk(module):
                asks |= {f"{name}: {ast.unparse(node)}" for text in _asked_for(node) if _NAMES_ONE.fullmatch(text)}
    assert not asks


def _asked_for(node: ast.AST) -> Iterator[str]:
    """The texts, and the names of members, that a comparison, a case or a test of a prefix is about."""
    prefix = isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".startswith", ".removeprefix"))
    if prefix or isinstance(node, ast.Compare | ast.MatchValue):
        for inner in ast.walk(node):
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                yield inner.value
            elif isinstance(inner, ast.Attribute):
                yield inner.attr


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
    for name, module in trees():
        for function in ast.walk(module):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and any(
                isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(function)
            ):
                late.add(str(MODULES[name].relative_to(PACKAGE)))
    assert late == set(LATE)


def test_every_module_says_what_it_is_and_stays_small() -> None:
    for path in MODULES.values():
        assert ast.get_docstring(tree(path)), f"{path} has no docstring"
        assert len(path.read_text().splitlines()) <= 400, path
        assert path.stem not in ("utils", "util", "helpers", "common", "misc"), path


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
    for name, module in trees():
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                where = f"{name}.{node.name}"
                assert (node.end_lineno or 0) - node.lineno < 60, where
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                assert len([one for one in arguments if one.arg not in ("self", "cls")]) <= 6, where


OPENS = {
    "sqlite3.connect": {"store.connect", "store.reading", "browse.mirror", "demo.truth.compare"},
    "aiosqlite.connect": {"store.pulse"},
    "adbc_driver_sqlite": {"store.staging"},
}
"""Who opens databases: of the mirror, one connection that writes and others that read; a page's own and the demo's that
read; one in memory. Who asks from an event loop. And who has a second SQLite library, for staging files only."""


def test_nothing_else_opens_a_database() -> None:
    found: dict[str, set[str]] = {name: set() for name in OPENS}
    for name, module in trees():
        for node in ast.walk(module):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in found:
                found[ast.unparse(node)].add(name)
            if isinstance(node, ast.ImportFrom) and node.module == "adbc_driver_sqlite":
                found["adbc_driver_sqlite"].add(name)
            assert not (isinstance(node, ast.Import) and "adbc_driver_sqlite" in ast.unparse(node)), name
    assert found == OPENS
