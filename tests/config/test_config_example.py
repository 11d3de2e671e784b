"""``config.example.toml`` shows every key, and as its value the default of the code."""

import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest

from promptsync.config import Config, load_config
from promptsync.config.section import Section

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"


def uncommented() -> str:
    return re.sub(r"^#(?=[^ #\n])", "", EXAMPLE.read_text(), flags=re.MULTILINE)


def section_of(annotation: Any) -> type[Section] | None:
    kinds = (annotation, *get_args(annotation))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)), None)


def test_as_it_stands_it_is_the_defaults(tmp_path: Path) -> None:
    example, empty = tmp_path / "example.toml", tmp_path / "empty.toml"
    example.write_text(EXAMPLE.read_text())
    empty.write_text("")
    assert load_config(example) == load_config(empty)


def test_uncommented_it_loads(tmp_path: Path) -> None:
    path = tmp_path / "all.toml"
    path.write_text(uncommented())
    config = load_config(path)
    assert config.qlara is not None
    assert len(config.nightly) == len(config.customerio) == 1
    assert config.webhook.basic_auth is not None
    assert config.plugins.settings("opt_out_alert") == {
        "url": {"file": "alert.url"},
        "secret": {"file": "alert.secret"},
    }


@pytest.mark.parametrize("name", Config.model_fields)
def test_shows_every_key(name: str) -> None:
    shown = tomllib.loads(uncommented())[name]
    table = shown[0] if isinstance(shown, list) else shown
    section = section_of(Config.model_fields[name].annotation)
    assert section is not None
    assert set(section.model_fields) - set(table) == set()


@pytest.mark.parametrize("name", Config.model_fields)
def test_shows_the_default_of_every_key_that_has_one(name: str) -> None:
    active = tomllib.loads(EXAMPLE.read_text())
    every = tomllib.loads(uncommented())[name]
    table = active.get(name) or (every[0] if isinstance(every, list) else every)
    section = section_of(Config.model_fields[name].annotation)
    assert section is not None
    given = {key: "x" for key, field in section.model_fields.items() if field.is_required()}
    required = {key: value for key, value in table.items() if key in given}
    defaults = section.model_validate(required)
    shown = section.model_validate(table)
    for key, field in section.model_fields.items():
        if not field.is_required() and field.default is not None:
            assert key in table
            assert getattr(shown, key) == getattr(defaults, key)
