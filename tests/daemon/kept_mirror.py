"""A mirror with a clock of its own, to which months of messages, deliveries and files come, and which is swept."""

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from promptsync.clock import iso_micros, iso_millis, parse_iso
from promptsync.config import Config
from promptsync.daemon.operations import OPERATIONS
from promptsync.daemon.retention import Part, Retention
from promptsync.engine.engine import Engine
from promptsync.loading.files import FileReport, LoadRequest
from promptsync.store.connect import open_reader
from promptsync.store.slices import Progress

NOW = parse_iso("2026-11-28T17:00:00Z")
MESSAGE = (
    *("id", "org_id", "created_timestamp", "contact_id", "content", "is_outgoing", "is_successful", "error_message"),
    *("error_code", "sent_timestamp", "contact_phone", "org_phone", "broadcast_id", "is_broadcast", "team_member_id"),
    *("is_mms", "is_whisper", "is_billable", "segments"),
)


class Kept:
    """``retention``: the section; ``zone``: the mirror's."""

    def __init__(self, folder: Path, retention: Mapping[str, str], zone: str = "UTC") -> None:
        self.folder, self.now = folder, NOW
        self.sections = {"mirror": {"timezone": zone}, "retention": dict(retention)}
        self.open()

    def open(self) -> None:
        self.engine = Engine(Config.read(self.sections, self.folder), lambda: self.now)

    def reopen(self, **retention: str) -> None:
        """As after a restart, with other periods."""
        self.engine.close()
        self.sections["retention"] = dict(self.sections["retention"], **retention)
        self.open()

    def close(self) -> None:
        self.engine.close()

    def receive(self, type_: str, body: Mapping[str, Any], at: str) -> None:
        """Receive and apply a delivery, at an ISO time."""
        self.bring([self.line(type_, body, at)])

    @staticmethod
    def line(type_: str, body: Mapping[str, Any], at: str) -> dict[str, Any]:
        """The same as a line of an export."""
        return {"path": type_, "body": json.dumps(body), "received_at": iso_micros(parse_iso(at))}

    def bring(self, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return OPERATIONS["import-events"](self.engine, {"lines": lines}, lambda _: None)

    def night(self, rows: Sequence[Mapping[str, Any]], as_of: str, folder: Path | None = None) -> FileReport:
        """Load a nightly file of messages."""
        path = self.night_file(folder or self.folder, rows, as_of)
        (report,) = self.engine.load([LoadRequest(path, "test", accept=True)])
        assert report.state in ("merged", "unchanged"), report
        return report

    def night_file(self, folder: Path, rows: Sequence[Mapping[str, Any]], as_of: str) -> Path:
        text = io.StringIO()
        writer = csv.DictWriter(text, MESSAGE, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        path = folder / f"message_1_{iso_millis(parse_iso(as_of))[:19].replace(':', '-')}Z.csv.gz"
        path.write_bytes(gzip.compress(text.getvalue().encode()))
        return path

    def look(self) -> dict[str, int]:
        """What would go, as seen by a dry run."""
        return _counts(Retention(self.engine).look())

    def sweep(self, progress: Progress = lambda *_: None, *, failed: bool = False) -> dict[str, int]:
        return _counts(Retention(self.engine, progress, failed=failed).run())

    def rows(self, sql: str, *values: object) -> list[Any]:
        """What a connection of another program sees."""
        with closing(open_reader(self.engine.mirror.path)) as connection:
            found = connection.execute(sql, values).fetchall()
        return [row[0] if len(row) == 1 else row for row in found]


def _counts(parts: Sequence[Part]) -> dict[str, int]:
    return {part.key: part.count for part in parts}


def message(id_: int, created: str, content: str | None, **more: object) -> dict[str, object]:
    """A row of a nightly file."""
    row = {"id": id_, "org_id": 1, "created_timestamp": created, "contact_id": 3, "content": content or ""}
    return row | {"is_outgoing": "true", "is_successful": "true", "is_mms": "false", "segments": 1, **more}


def added(id_: int, created: str, content: str, **more: object) -> dict[str, Any]:
    """The body of message/added."""
    told = {"id": id_, "content": content, "createdTimestamp": parse_iso(created) // 1000, "userType": "TEAM_MEMBER"}
    return {"orgId": 1, "message": told | more}
