"""Copies of loaded files in ``done``, once they are too old.

Owns which of them may go and their deletion, without ever leaving the folder. What is known of each file is handed in.
Blocking: for a worker thread.
"""

import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from promptsync.clock import iso_millis
from promptsync.drop.stability import Mark
from promptsync.drop.survey import archived_files, marks_of, open_folder, top_folder
from promptsync.errors import Unavailable


@dataclass(frozen=True, slots=True)
class OldCopies:
    """``go``: names below the drop folder and their marks; ``needed``: how many stay, as their rows can be retried."""

    go: Mapping[str, Mark]
    needed: int


def old_copies(root: Path, before: str, loaded: Mapping[str, str], keep: Collection[str]) -> OldCopies:
    """Copies put there before then (ISO): ``loaded`` has when each path was loaded; of one that it lacks, its last
    change counts. ``keep``: paths of files that are needed. Raises Unavailable if the folder cannot be read."""
    try:
        found = archived_files(root, "done") if root.is_dir() else {}
    except OSError as error:
        raise Unavailable(f"The drop folder {root} cannot be read: {error.strerror}.") from error
    old = {
        name: mark
        for name, mark in found.items()
        if loaded.get(str(root / name), iso_millis(mark.mtime // 1000)) < before
    }
    go = {name: mark for name, mark in old.items() if str(root / name) not in keep}
    return OldCopies(go, len(old) - len(go))


def delete_copies(root: Path, copies: Mapping[str, Mark]) -> int:
    """Delete those that are still what they were; returns how many that were. Raises Unavailable if one cannot be."""
    deleted = 0
    if not copies:
        return deleted
    try:
        there = marks_of(root, copies)
        with top_folder(root) as top:
            for name, mark in copies.items():
                *parents, last = name.split("/")
                with suppress(FileNotFoundError), open_folder(top, tuple(parents)) as folder:
                    if there.get(name) == mark:
                        os.unlink(last, dir_fd=folder)
                        deleted += 1
            _remove_empty(top, {tuple(name.split("/")[1:-1]) for name in copies})
    except OSError as error:
        raise Unavailable(f"A copy in {root / 'done'} cannot be deleted: {error.strerror}.") from error
    return deleted


def _remove_empty(top: int, folders: Collection[tuple[str, ...]]) -> None:
    """Remove the subfolders of ``done`` that nothing is left in."""
    every = {folder[:n] for folder in folders for n in range(1, len(folder) + 1)}
    for parts in sorted(every, key=len, reverse=True):
        with suppress(OSError), open_folder(top, ("done", *parts[:-1])) as folder:
            os.rmdir(parts[-1], dir_fd=folder)
