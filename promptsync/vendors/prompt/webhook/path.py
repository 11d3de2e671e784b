"""What a request's path and ``Prompt-EventType`` say, pure.

Owns which paths are deliveries and what is stored as ``Delivery.path``. Event Endpoint specification: ``{baseUrl}/
{eventTypePath}``; a type the specification does not know is a delivery too.
"""

import unicodedata
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from promptsync.vendors.prompt.event_types import type_of_path

MAX_EVENT_PATH = 200
"""Characters of an event type's path."""


def event_path(raw_path: str, base: str) -> str | None:
    """The event type's path in ``raw_path`` (still percent-encoded) below ``base``, which ends with a slash.

    Slashes around it are dropped: a base URL entered with a trailing slash, or a path sent with one, means the same.
    None: another path, none at all, longer than ``MAX_EVENT_PATH``, control characters, or bytes that are not UTF-8.
    """
    path = raw_path
    if "%" in path or not path.isascii():
        try:
            path = unquote_to_bytes(path.encode("utf-8", "surrogateescape")).decode("utf-8")
        except UnicodeError:
            return None
    if not path.startswith(base):
        return None
    below = path[len(base) :].strip("/")
    if not below or len(below) > MAX_EVENT_PATH or (base == "/" and below.startswith("-/")):
        return None
    return below if below.isprintable() or not _has_controls(below) else None


def types_agree(values: Sequence[str], path: str) -> bool:
    """Whether every ``Prompt-EventType`` sent names the type of ``path``; with none there is nothing to disagree.

    Below ``contactAction`` both the type and the whole path, suffix included, are right.
    """
    kind = type_of_path(path)
    return all(value in (path, kind) for value in values)


def _has_controls(text: str) -> bool:
    return any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in text)
