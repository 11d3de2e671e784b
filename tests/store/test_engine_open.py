"""An engine that cannot be put together holds nothing: neither the mirror nor its lock."""

from pathlib import Path

import pytest

from promptsync.config import load_config
from promptsync.engine import engine
from promptsync.errors import Unavailable


def test_what_was_opened_is_let_go_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "promptsync.toml"
    settings.write_text('[mirror]\ndatabase = "mirror.db"\n')
    opened = []

    def refuse(_config: object, mirror: object, *_: object) -> None:
        opened.append(mirror)  # held on to, so that nobody lets go of it by chance
        raise Unavailable("no")

    with monkeypatch.context() as patch:
        patch.setattr(engine, "exports_of", refuse)
        with pytest.raises(Unavailable, match="no"):
            engine.Engine(load_config(settings))
    with engine.Engine(load_config(settings)) as again:
        assert again.mirror is not opened[0]
