"""The kinds of files that promptsync knows, without an engine."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from promptsync.config import Config
from promptsync.engine.built_in import load_extensions
from promptsync.loading.kinds import FileKinds
from promptsync.plugins.loading import Extensions, Plugin


def file_kinds(config: Mapping[str, Any] | None = None, plugins: Sequence[Plugin] = ()) -> FileKinds:
    """Those of the vendors, under a configuration (times without a zone are UTC), and of ``plugins``."""
    extensions = _extensions(json.dumps({"mirror": {"timezone": "UTC"}, **(config or {})}))
    return FileKinds(extensions.schema, FileKinds.of(extensions), plugins)


@cache
def _extensions(config: str) -> Extensions:
    return load_extensions(Config.read(json.loads(config), Path()))
