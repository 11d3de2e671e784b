"""A small mirror of hostile and ordinary rows, made from the declarations, and how to ask for a page of it."""

import os
import sqlite3
from pathlib import Path

import httpx
import pytest

from promptsync.browse.serve import MirrorDatasette
from promptsync.merge.sql import names, quote
from promptsync.model import Schema, Table

HIDDEN = ("_facts_at", "_rev", "_absent_since")
SCRIPT = "<script>alert(1)</script>"
FORMULA = '=HYPERLINK("http://evil.example","x")'
LONG = "long " * 1000
EMOJI = "👋🏽 ¡Hola! \u202eodd"
PASSWORD = "correct horse"

ROWS: dict[str, list[dict[str, object]]] = {
    "org": [{"id": 7, "name": "Kitchen & Co", "subdomain": "kitchen", "created_timestamp": "2020-01-01T00:00:00.000Z"}],
    "contact": [
        {"id": 1, "org_id": 7, "display_name": "Ana Lima", "phone": "+14155550123", "is_opted_out": 0, "region": "CA"},
        {"id": 2, "org_id": 7, "display_name": SCRIPT, "phone": "+442079460000", "is_opted_out": 1, "region": "NY"},
        {"id": 3, "org_id": 7, "display_name": None, "phone": "+14155550199", "is_opted_out": 0}
        | {"_absent_since": "2026-02-04T08:00:00.000Z"},
    ],
    "message": [
        {"id": 10 + i, "org_id": 7, "contact_id": 1 + i % 3, "content": text, "is_outgoing": i % 2, "segments": 1200}
        | {"created_timestamp": f"2026-02-04T08:00:0{i}.500Z", "contact_phone": "+14155550123", "_facts_at": 987654321}
        for i, text in enumerate(("Hello there", SCRIPT, FORMULA, LONG, EMOJI, "+14155550123", "@SUM(1)", "-2+3"))
    ],
    "broadcast": [{"id": 5, "org_id": 7, "description": "Spring drive", "num_contacts": 12345}],
    "sync_event": [
        {"id": 1, "type": "message/added", "path": "message/added", "org_id": 7, "state": "applied", "attempts": 1}
        | {"received_at": "2026-02-04T08:00:00.000001Z", "observed_at": 1770192000000000}
        | {"headers": '{"X-Relay":"<b>"}', "body": '{"text":"<script>"}'}
    ],
    "sync_file": [{"id": 1, "name": "contacts.csv.gz", "source": "drop", "size": 123456, "state": "merged"}],
    "sync_reject": [{"id": 1, "class": "row", "original": b"\xff\x00bytes", "reason": "too short"}],
    "sync_state": [{"name": "revision", "value": "1"}],
}


def table_sql(table: Table) -> str:
    """A STRICT table of the declared columns and a few of the hidden ones, with its links."""
    hidden = HIDDEN if table.exported else ()
    columns = [f"{quote(c.name)} {c.kind.storage}" for c in table.columns]
    if len(table.key) == 1 and table.by_name[table.key[0]].kind.storage == "INTEGER":
        columns[0] += " PRIMARY KEY"
    columns += [
        f"{quote(name)} {'TEXT' if name == '_absent_since' else 'INTEGER NOT NULL DEFAULT 0'}" for name in hidden
    ]
    links = [
        f"FOREIGN KEY ({quote(c.name)}) REFERENCES {quote(c.references)} (id)" for c in table.columns if c.references
    ]
    return f"CREATE TABLE {quote(table.name)} ({', '.join(columns + links)}) STRICT"


def make_mirror(path: Path, schema: Schema) -> sqlite3.Connection:
    """The mirror of ``ROWS``; its open connection stands for the daemon."""
    daemon = sqlite3.connect(path, isolation_level=None)
    daemon.execute("PRAGMA journal_mode = WAL")
    daemon.execute("BEGIN")
    for table in schema:
        name = table.name
        daemon.execute(table_sql(table))
        for row in ROWS.get(name, ()):
            marks = ", ".join("?" * len(row))
            daemon.execute(f"INSERT INTO {quote(name)} ({names(row)}) VALUES ({marks})", tuple(row.values()))
    daemon.execute("CREATE INDEX message_segments ON message (segments)")
    daemon.execute("CREATE TABLE _sqlite_migrations (name TEXT PRIMARY KEY)")
    daemon.execute('CREATE VIRTUAL TABLE message_fts USING fts5(content, content="message", content_rowid="id")')
    daemon.execute("INSERT INTO message_fts(message_fts) VALUES ('rebuild')")
    daemon.execute("COMMIT")
    return daemon


def session(datasette: MirrorDatasette, user: str) -> dict[str, str]:
    """The cookie of a user who has logged in."""
    return {"ds_actor": datasette.sign({"a": {"id": user}, "s": datasette.sessions.begin(user)}, "actor")}


async def ask(datasette: MirrorDatasette, path: str, user: str = "", **options: object) -> httpx.Response:
    """GETs a path as a logged-in user, or as nobody."""
    cookies = session(datasette, user) if user else None
    response: httpx.Response = await datasette.client.get(path, cookies=cookies, **options)
    return response


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="changing users takes root")
