"""A notification socket, and a folder with a configuration."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from service_manager import Heard

CONFIG = """\
[mirror]
database = "data/mirror.db"
[webhook]
port = 0
allow_unauthenticated = true
[browse]
port = 0
anonymous = true
"""


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[Heard]:
    listening = Heard(str(tmp_path / "notify"))
    with listening.socket:
        yield listening


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "promptsync.toml"
    path.write_text(CONFIG)
    return path
