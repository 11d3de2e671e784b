"""The account of tests/people in a lake, and in a mirror beside it: three people in every table and every delivery."""

import json
import shutil
from pathlib import Path

from promptsync.clock import iso_micros, parse_iso
from promptsync.engine.engine import Engine
from tests.people.people_world import AL, AT, BO, CY, Someone, config, deliveries, fill

from .home import Home

EXPORTED = {
    "qlara_contact": "contacts",
    "qlara_delivery_report": "delivery-reports",
    "qlara_message": "messages",
}
PEOPLE = [BO, AL, CY]


def fill_mirror(folder: Path) -> Path:
    """A mirror of all three, and the folder it is in."""
    with Engine(config(folder)) as engine:
        fill(engine, folder, PEOPLE)
    return folder


def put_files(mirror: Path, home: Home, names: str = "*") -> None:
    """The files that the mirror was filled with, into the lake."""
    for path in (mirror / "drop" / "done").glob(names):
        shutil.copy(path, home.incoming)
    for path in (mirror / "data" / "exports").glob(names):
        kind = EXPORTED[path.stem.removeprefix("job-")]
        shutil.copy(path, home.incoming / f"{kind}_2026-11-04T08-00-00Z.csv")


def put_odd_files(mirror: Path, home: Home) -> None:
    """What a mirror keeps beside: files that cannot be read, whose names say who, with rows that are rejected."""
    for folder in (mirror / "drop" / "held", mirror / "data" / "incoming"):
        for path in folder.rglob("*.*"):
            shutil.copy(path, home.incoming)


def lines(people: list[Someone] = PEOPLE, path: str = "") -> list[str]:
    """Their deliveries, or those whose paths begin so, as listeners store them."""
    return [
        json.dumps({"received_at": iso_micros(parse_iso(AT) + label * 1_000), "path": one, "body": body})
        for label, one, body in sorted(deliveries(people))
        if one.startswith(path)
    ]


def put_deliveries(home: Home, name: str = "some", people: list[Someone] = PEOPLE, paths: str = "") -> Path:
    """These into the lake, in one file."""
    path = home.incoming.parent / "deliveries" / f"{name}.jsonl"
    path.write_text("\n".join(lines(people, paths)) + "\n")
    return path
