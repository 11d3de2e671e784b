"""Which adapter opens a place.

Owns the choice by the location's scheme and nothing else. Only the adapter that is needed is imported.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from promptsync.places.folder import FolderPlace
from promptsync.places.place import Place, PlaceSettings
from promptsync.places.web import open_web


@asynccontextmanager
async def open_place(settings: PlaceSettings) -> AsyncIterator[Place]:
    """Open the place that a location names: a path, or ``s3 gs az sftp https http``. Raises ConfigError."""
    scheme = urlsplit(settings.location).scheme if "://" in settings.location else ""
    if scheme in ("s3", "gs", "az"):
        from promptsync.places.objects import open_objects

        yield open_objects(settings)
    elif scheme == "sftp":
        from promptsync.places.sftp import open_sftp

        async with open_sftp(settings) as place:
            yield place
    elif scheme in ("https", "http"):
        async with open_web(settings) as web:
            yield web
    else:
        yield FolderPlace(Path(settings.location))
