"""What Delta keeps of rows that are gone: files of older versions and of refused commits, statistics in its log.

Owns their removal, right after a commit that took the rows out. A table's files are listed before that commit, and
those of the list are deleted that do not count after it: a commit under way is refused by it, so it cannot count on one
of them. Who reads an older version meanwhile has to begin again. Commits stay in the log, as readers follow them one by
one; of files that do not count any more it then says only how many rows they had.
"""

import json
from collections.abc import Iterable
from typing import Final

from promptsync.lake import delta
from promptsync.lake.storage import TABLES, Storage

_LOG: Final = "_delta_log/"
_CHECKPOINT: Final = ".checkpoint."


def files_of(storage: Storage, name: str) -> set[str]:
    """The keys of everything in a table's folder but its log."""
    prefix = f"{TABLES}/{name}/"
    return {key for key in storage.keys(prefix) if not key.startswith(f"{prefix}{_LOG}")}


def purge(storage: Storage, name: str, before: Iterable[str]) -> None:
    """Delete the files listed ``before`` the last commit that do not count, and what the log says of such files."""
    present = delta.opened(storage, name)
    if present is None:  # nothing was ever committed: a run that was killed has left them
        storage.delete(before)
        return
    with delta.translated(name):
        count = delta.counting(present)
    prefix = f"{TABLES}/{name}/"
    storage.delete(key for key in before if key.removeprefix(prefix) not in count)
    logged = sorted(storage.keys(f"{prefix}{_LOG}"))
    if old := [key for key in logged if _CHECKPOINT in key]:
        with delta.translated(name):
            present.create_checkpoint()
        storage.delete(key for key in old if _version(key) < present.version())
    for key in logged:
        if key.endswith(".json") and (content := storage.read(key)) is not None:
            bare = b"\n".join(_bare(line, count) for line in content.splitlines())
            if bare != content.rstrip(b"\n"):
                storage.put(key, bare)


def _version(key: str) -> int:
    return int(key.rsplit("/", 1)[-1].split(".")[0])


def _bare(line: bytes, count: set[str]) -> bytes:
    """A line of the log without the statistics of a file that does not count."""
    said = json.loads(line) if line else {}
    if not (said.keys() & {"add", "remove"}):
        return line
    for action in ("add", "remove"):
        if (of := said.get(action)) and of.get("stats") and of["path"] not in count:
            rows = json.loads(of["stats"]).get("numRecords")
            of["stats"] = json.dumps({"numRecords": rows})
    return json.dumps(said, separators=(",", ":")).encode()
