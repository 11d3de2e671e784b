"""Makes the reference for plugin authors, promptsync/docs/plugins.md, from what is declared: ``python -m
tests.plugins.reference``.

Owns the order of the text and the sentences between. What a hook, a class or a method means is said in its docstring;
each example is a function of a plugin in plugins/, all of which are run as tests.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import fields, is_dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import promptsync
from promptsync import hookspecs
from promptsync.plugins import declared
from promptsync.plugins.declared import Declared
from promptsync.plugins.patience import AT_ONCE, POLICIES
from promptsync.testing import Kit

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "promptsync" / "docs" / "plugins.md"
EXAMPLES = {
    "tables": "shout",
    "columns": "pledges",
    "event_handlers": "shout",
    "file_kinds": "shifts",
    "sources": "shifts",
    "filters": "card_numbers",
    "observers": "opt_out_alert",
    "checks": "shifts",
    "commands": "shifts",
    "pages": "shifts",
    "metadata": "shifts",
    "erase": "shifts",
}
"""Hook to the plugin in plugins/ whose function is shown."""

GIVEN = ("Settings", "Fields", "Claims", "RowClaim", "Change", "ReadOnly", "Finding")
RAISED = ("PluginError", "ConfigError", "InputRefused")
ALIASES = ("Check", "EventHandler", "Schedule")
STATED = ("FileName", "ChangeSetName")
INTERNAL = frozenset({"as_dict", "as_text", "bound", "times", "unknown", "order"})
DECLARED = ("Table", "Column", "FileKind", "TableFiles", "Source", "Filter", "Observer", "Page", "Eraser", "Kept")
WORDS = ("Kind", "Role", "FilledBy", "Identity")
HELPERS = ("ok", "note", "problem", "parse_iso", "iso_millis", "known", "post_signed", "signed_headers")


def text() -> str:
    """The whole reference, Markdown."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield "# Writing a plugin"
    yield "<!-- made by python -m tests.plugins.reference -->\n"
    yield _fill(_BEGIN)
    yield "\n## A whole plugin, and its test\n"
    for name in ("shout.py", "test_shout.py"):
        yield f"`plugins/{name}`:\n"
        yield from _code((ROOT / "plugins" / name).read_text(encoding="utf-8"))
    yield _fill(_EXAMPLES)
    yield "\n## The hooks\n"
    for hook in Declared.__slots__:
        yield from _hook(hook)
    yield "## What hooks return\n"
    for name in (*DECLARED, *STATED):
        yield from _class(name)
    yield "## Words in declarations\n"
    yield from (f"**`{name}`**: {said}\n" for name, said in _aliases())
    for name in WORDS:
        kinds = ", ".join(f"`{name}.{one.name}`" for one in getattr(promptsync, name))
        yield f"**`{name}`**: {_said(getattr(promptsync, name))} {kinds}.\n"
    yield "## What your functions are given\n"
    for name in (*GIVEN, *RAISED):
        yield from _class(name)
    yield "## Functions and marks\n"
    yield _fill(_MARKS) + "\n"
    for name in HELPERS:
        function = getattr(promptsync, name)
        yield f"**`{name}{_signature(function)}`** {_said(function)}\n"
    yield "## The kit\n"
    yield _said(Kit) + " pytest finds the fixture `kit` by itself; type it as `promptsync.testing.Kit`.\n"
    yield from _methods(Kit)
    yield "\n## When something fails\n"
    yield _fill(_FAILURES)


def _hook(hook: str) -> Iterator[str]:
    spec = getattr(hookspecs, hook)
    returned = inspect.formatannotation(inspect.signature(spec).return_annotation)
    yield f"### `{hook}(settings)`\n"
    yield f"Returns `{_plain(returned)}`. {_said(spec)}\n"
    yield f"From `plugins/{EXAMPLES[hook]}.py`:\n"
    yield from _code(_function(ROOT / "plugins" / f"{EXAMPLES[hook]}.py", hook))


def _function(file: Path, name: str) -> str:
    """The text of a plugin's hook, with its decorator."""
    source = file.read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            first = min(node.lineno, *(decorator.lineno for decorator in node.decorator_list))
            return "\n".join(source.splitlines()[first - 1 : node.end_lineno])
    raise LookupError(f"{file.name} has no function {name}")


def _class(name: str) -> Iterator[str]:
    found = getattr(promptsync, name)
    yield f"### `{name}`\n"
    yield f"{_said(found)}\n"
    if is_dataclass(found) and name in DECLARED:
        yield "```python"
        yield f"{name}("
        yield from (f"    {_field(field)}," for field in fields(found))
        yield ")\n```\n"
    yield from _methods(found)
    yield ""


def _aliases() -> Iterator[tuple[str, str]]:
    """Names of types, with the text that stands after each where it is made."""
    body = ast.parse(inspect.getsource(declared)).body
    for node, after in pairwise(body):
        inner = node.body[-1] if isinstance(node, ast.If) else node
        if isinstance(inner, ast.Assign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            name = ast.unparse(inner.targets[0])
            if name in ALIASES:
                yield name, " ".join(str(after.value.value).replace("``", "`").split())


def _field(field: Any) -> str:
    kind = _plain(inspect.formatannotation(field.type))
    if field.default is not NO_DEFAULT and not callable(field.default):
        return f"{field.name}: {kind} = {_enum(field.default) or repr(field.default)}"
    optional = field.default is not NO_DEFAULT or field.default_factory is not NO_DEFAULT
    return f"{field.name}: {kind}{' = ...' if optional else ''}"


def _enum(value: object) -> str:
    return str(value) if type(value).__name__ in WORDS else ""


def _methods(found: type) -> Iterator[str]:
    """The public methods and properties of a class, with what their docstrings say; old names are left out."""
    if issubclass(found, tuple | Exception) or found.__name__ in DECLARED:
        return
    for name, member in vars(found).items():
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if name.startswith("_") or name in INTERNAL or not inspect.isfunction(function) or function.__name__ != name:
            continue
        signature = "" if isinstance(member, property) else _signature(function)
        yield f"- `{name}{signature}`: {_said(function)}"


def _signature(function: Any) -> str:
    signature = inspect.signature(function)
    parameters = [one for name, one in signature.parameters.items() if name not in ("self", "cls")]
    shown = [one.replace(default=Ellipsis) if type(one.default) is object else one for one in parameters]
    return _plain(str(signature.replace(parameters=shown))).replace("Ellipsis", "...")


def _plain(annotation: str) -> str:
    """A type without the modules that it comes from."""
    without = re.sub(r"\b(?:[a-z_]\w*\.)+(?=[A-Za-z_])", "", annotation).replace("~", "")
    return re.sub(r"'([A-Z]\w*(?: \| None)?|Iterable\[\w+\])'", r"\1", without)


def _said(found: Any) -> str:
    """A docstring as one paragraph, its literals as Markdown has them."""
    said = inspect.getdoc(found) or ""
    return " ".join(said.replace("``", "`").split())


def _code(source: str) -> Iterator[str]:
    yield f"```python\n{source.strip()}\n```\n"


def _fill(template: str) -> str:
    patient, source = POLICIES["observers"], POLICIES["sources"]
    return template.strip().format(
        failures=AT_ONCE.failures,
        minutes=round(AT_ONCE.pause / 60),
        first=patient.first,
        longest=round(patient.longest / 60),
        source_first=round(source.first / 60),
        source_longest=round(source.longest / 60),
        hours=round(patient.lasting / 3600),
    )


_BEGIN = """
A plugin is one Python file in the plugins folder, or an installed package with an entry point of the group
`promptsync`. It runs only if `[plugins] enabled` names it, imports only `promptsync` (its tests `promptsync.testing`
too), and says what it wants through hooks: functions marked with `@hookimpl` that are called once at the start, with
the plugin's own settings, and return declarations. The functions in those are called later.

1. `promptsync plugins new NAME` writes `NAME.py` and `test_NAME.py` into the plugins folder, and says how to test it.
2. Name it in `[plugins] enabled`, give its settings under `[plugins.NAME]`, and restart the daemon. Where the pages
   run with a configuration of their own (`browse.toml`), a plugin with pages is named there too.
3. `promptsync plugins list` says what is loaded, how it fares, and what a restart would change; `promptsync status`
   when its sources, files and observers last did their work.

`mypy --strict` of a plugin passes; where it imports pyarrow, install `pyarrow-stubs` beside mypy.

Columns that are claimed together make a *group*; a group of a row takes the claim with the latest time ('promptsync
help merge'). Times are microseconds since 1970, UTC. A package names its module as an entry point:

```toml
[project.entry-points.promptsync]
shout = "my_package.shout"
```
"""

_MARKS = """
`hookimpl` marks a hook. `MISSING` stands for a field that is absent or could not be read: of claimed values it is left
out, and a group of which every value is `MISSING` is not claimed. `__version__` is promptsync's.
"""

_EXAMPLES = """
All examples are in the repository's `plugins/`, each with its test, and installed with the package under
`promptsync/examples/plugins/`: `shout.py` counts capitals, `pledges.py` takes a type of event of your own,
`shifts.py` fetches, shows, checks and forgets rows of CSV files, `card_numbers.py` keeps something out of the mirror,
`message_topics.py` tags messages by their words, `opt_out_alert.py` posts signed opt-outs to a URL, `csv_drop.py`
writes changed contacts into a nightly file.
"""

_FAILURES = """
- Every function is called on threads of the plugin's own, off the event loop and outside the write transaction, and
  has `[plugins] limit` (2 seconds; observers, sources and files what they declare). It never sees the connection that
  writes.
- A handler or filter that raises makes that delivery or file fail, with the plugin's name in its error; fix it, then
  `promptsync events replay --failed`. Of an exception only the class and the line are said, since its text may hold
  what people wrote; raise `PluginError` with a sentence of your own. With `-v -v`, and in the kit, there is the
  traceback.
- {failures} failures in a row pause a hook for {minutes} minutes at a time, and `status` says so: deliveries are
  merged without its handlers, files that it decodes wait, nothing passes a paused filter.
- An observer that raises is called again with the same changes after {first:g} seconds, then after twice as long each
  time, up to {longest} minutes; a source after {source_first} minute, up to {source_longest}. After {hours} hours it
  is paused, by itself, with one try an hour, and `status` asks for a person. `promptsync fetch PLUGIN.SOURCE` calls a
  source now. A restart begins anew.
- What cannot run (a misspelt hook, a wrong type, an unknown setting) keeps the daemon from starting, with a sentence.
- Without plugins nothing is watched and nothing called. An observer costs one insertion for each change of the
  columns it names, by triggers that exist only while it is enabled (`sync_change`); it hears what changes from then
  on. A filter of rows has every nightly file read whole.
"""

if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text(), encoding="utf-8")
