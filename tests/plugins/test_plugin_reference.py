"""The reference for plugin authors is made from what is declared, and holds all of it."""

import ast
import re
from pathlib import Path

import promptsync
from promptsync.plugins.declared import Declared
from tests.plugins import reference

PLUGINS = reference.ROOT / "plugins"


def test_it_is_current() -> None:
    assert reference.TARGET.read_text(encoding="utf-8") == reference.text(), "python -m tests.plugins.reference"


def test_it_names_everything_that_plugins_may_import() -> None:
    text = reference.text()
    assert not [name for name in promptsync.__all__ if not re.search(rf"\b{name}\b", text)]


def test_each_hook_has_an_example_that_is_tested() -> None:
    assert set(reference.EXAMPLES) == set(Declared.__slots__)
    tested = " ".join(
        path.read_text() for path in [*PLUGINS.glob("test_*.py"), *Path(__file__).parent.glob("test_*.py")]
    )
    for name in set(reference.EXAMPLES.values()):
        assert f'"{name}.py"' in tested, name


def test_every_plugin_that_texts_name_is_there() -> None:
    """Of the README, the long texts and the examples themselves; and each block of a plugin's code is one of them."""
    texts = [reference.ROOT / "README.md", *reference.TARGET.parent.glob("*.md")]
    named = {name for path in texts for name in re.findall(r"\bplugins/(\w+\.py)\b", path.read_text(encoding="utf-8"))}
    assert named and not {name for name in named if not (PLUGINS / name).is_file()}
    for block in re.findall(r"```python\n(@hookimpl.*?)```", reference.TARGET.read_text(encoding="utf-8"), re.DOTALL):
        assert ast.parse(block) and any(block.strip() in path.read_text() for path in PLUGINS.glob("*.py"))
