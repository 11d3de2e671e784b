"""promptsync: a local, always current SQLite mirror of a text messaging account.

Owns the names that plugins use: ``promptsync`` is the only module a plugin imports (its tests import
``promptsync.testing`` too). They are looked up when asked for, so that importing one part does not import the others.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from promptsync.clock import iso_millis, parse_iso
    from promptsync.errors import ConfigError, InputRefused
    from promptsync.events.claims import Claims, RowClaim
    from promptsync.events.fields import MISSING, Fields, known
    from promptsync.hookspecs import hookimpl
    from promptsync.model import Column, FilledBy, Identity, Kept, Kind, Role, Table
    from promptsync.model.file_name import ChangeSetName, FileName
    from promptsync.plugins.declared import (
        Change,
        Check,
        Eraser,
        EventHandler,
        FileKind,
        Filter,
        Finding,
        Observer,
        Page,
        PluginError,
        ReadOnly,
        Schedule,
        Source,
        TableFiles,
        note,
        ok,
        problem,
    )
    from promptsync.plugins.outgoing import post_signed, signed_headers
    from promptsync.plugins.settings import Settings

_HOMES = {
    "promptsync.clock": ("iso_millis", "parse_iso"),
    "promptsync.errors": ("ConfigError", "InputRefused"),
    "promptsync.hookspecs": ("hookimpl",),
    "promptsync.events.claims": ("Claims", "RowClaim"),
    "promptsync.events.fields": ("MISSING", "Fields", "known"),
    "promptsync.model": ("Column", "FilledBy", "Identity", "Kept", "Kind", "Role", "Table"),
    "promptsync.model.file_name": ("ChangeSetName", "FileName"),
    "promptsync.plugins.declared": (
        *(
            "Change",
            "Check",
            "Eraser",
            "EventHandler",
            "FileKind",
            "Filter",
            "Finding",
            "Observer",
            "Page",
            "PluginError",
            "ReadOnly",
        ),
        *("Schedule", "Source", "TableFiles", "note", "ok", "problem"),
    ),
    "promptsync.plugins.outgoing": ("post_signed", "signed_headers"),
    "promptsync.plugins.settings": ("Settings",),
}

__all__ = [
    "MISSING",
    "Change",
    "ChangeSetName",
    "Check",
    "Claims",
    "Column",
    "ConfigError",
    "Eraser",
    "EventHandler",
    "Fields",
    "FileKind",
    "FileName",
    "FilledBy",
    "Filter",
    "Finding",
    "Identity",
    "InputRefused",
    "Kept",
    "Kind",
    "Observer",
    "Page",
    "PluginError",
    "ReadOnly",
    "Role",
    "RowClaim",
    "Schedule",
    "Settings",
    "Source",
    "Table",
    "TableFiles",
    "__version__",
    "hookimpl",
    "iso_millis",
    "known",
    "note",
    "ok",
    "parse_iso",
    "post_signed",
    "problem",
    "signed_headers",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'promptsync' has no attribute {name!r}")
