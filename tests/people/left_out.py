"""Somebody who was erased, somebody who was not, and what a mirror's files hold of either."""

import subprocess
from pathlib import Path

from promptsync.model import Identity
from promptsync.model.person import Identifier
from promptsync.people.forgotten import remembering
from promptsync.store.mirror import Mirror

CANARY = "Zanzibar"
"""In every text about the erased person."""
PHONE, MAIL = "+14155550123", "zanzibar@club.example"
ZOE = frozenset(
    {
        Identifier(Identity.CONTACT, "301"),
        Identifier(Identity.PHONE, PHONE),
        Identifier(Identity.EMAIL, MAIL),
        Identifier(Identity.CIO, "a3000001f7"),
        Identifier(Identity.QLARA, "q301"),
    }
)
RECORDS = frozenset({("message", 9001), ("conversation", 4001)})
AL = {"id": 302, "display_name": "Al", "phone": "+14155550124"}


def forget(mirror: Mirror, people: frozenset[Identifier] = ZOE) -> None:
    """Put people on the list, as an erasure does before it removes anything."""
    mirror.writer.run(lambda connection: remembering(mirror)(connection, 1, people, RECORDS))
    mirror.writer.run(lambda _: None)  # what is adopted after the commit comes before any other work


def held(mirror: Mirror) -> bytes:
    """Every byte of the database, its log and the staging, read by another process: in this one it would drop locks."""
    paths = [str(path) for path in mirror.folder.rglob("*") if path.is_file() and _is_ours(path)]
    return subprocess.run(["cat", *paths], check=True, capture_output=True).stdout


def _is_ours(path: Path) -> bool:
    return path.name.startswith("mirror.db") or "staging" in path.parts
