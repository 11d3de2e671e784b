"""Writes the contacts that changed since the last night into a CSV file for another program.

    [plugins]
    enabled = ["csv_drop"]
    [plugins.csv_drop]
    folder = "outbox"               # files appear in it whole, under a name that no other file had
    schedule = "15 1 * * *"

Spreadsheets run cells that begin like a formula: those get an apostrophe. Phone numbers are left as they are. After a
crash the contacts of an unfinished night are written again.
"""

import csv
import re
import time
from pathlib import Path

from promptsync import Change, Observer, ReadOnly, Settings, hookimpl

COLUMNS = ("id", "org_id", "display_name", "phone", "is_opted_out", "opt_out_timestamp", "_absent_since")
DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
PHONE = re.compile(r"\+[0-9 ().-]{5,24}")
AT_ONCE = 20_000


@hookimpl
def observers(settings: Settings) -> list[Observer]:
    """Told once a night, a file for each 20,000 contacts."""
    folder = settings.path("folder", "outbox")
    schedule = settings.text("schedule", "15 1 * * *")

    def told(changes: list[Change], mirror: ReadOnly) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        write(folder, changes, mirror)

    return [Observer("contacts", {"contact": ()}, told, AT_ONCE, schedule, limit=300.0)]


def write(folder: Path, changes: list[Change], mirror: ReadOnly) -> Path:
    """Write the rows of these contacts, as they are now, into a new file."""
    name = f"contacts_{time.strftime('%Y-%m-%d')}_{changes[0].revision}.csv"
    part = folder / f".{name}.part"
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(COLUMNS)
        for start in range(0, len(changes), 500):
            keys = [change.key[0] for change in changes[start : start + 500]]
            slots = ", ".join("?" * len(keys))
            wanted = f"SELECT {', '.join(COLUMNS)} FROM contact WHERE id IN ({slots}) ORDER BY id"
            for row in mirror.rows(wanted, keys):
                writer.writerow(guarded(cell) for cell in row.values())
    return part.rename(folder / name)


def guarded(cell: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    if isinstance(cell, str) and cell.startswith(DANGEROUS) and not PHONE.fullmatch(cell):
        return f"'{cell}"
    return cell
