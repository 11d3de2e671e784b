"""What the name of a snapshot file states: table, organization and instant.

Owns the spelling of names and stamps (Nightly Data Exports, File Naming & Directory Structure). Pure: never looks
at a file's content, nor at a folder.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from promptsync.clock import micros_of
from promptsync.errors import InputRefused
from promptsync.model import Table
from promptsync.model.file_name import FileName
from promptsync.plugins.declared import AtPlace, TableFiles

_MAX_ORG = (1 << 63) - 1
_STAMP = re.compile(
    r"(?P<local>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2})"
    r"(?:(?P<sign>[+-])(?P<hours>[0-9]{2})-?(?P<minutes>[0-9]{2}))?(?P<z>Z)?"
)


ENDINGS = (".csv", ".csv.gz")


def nightly_files(tables: Sequence[Table], zone: ZoneInfo) -> TableFiles:
    """The exports as a kind of file. ``tables``: those that are exported; ``zone``: of stamps that name none."""

    def recognise(file_name: str) -> FileName | None:
        return parse_name(file_name, tables, zone) if file_name.endswith(ENDINGS) else None

    owned = [f"{table.name}_1044" if table.org_scoped else table.name for table in tables]
    samples = tuple(f"{name}_2026-02-04T00-00-00-0800Z{ending}" for name in owned for ending in ENDINGS)
    return TableFiles("nightly", recognise, ENDINGS, at_place=lambda _section: AtPlace(recognise), samples=samples)


def parse_name(name: str, tables: Iterable[Table], zone: ZoneInfo) -> FileName:
    """Reads ``<table>_<org>_<stamp>.csv[.gz]``, for a table that is not per organization ``<table>_<stamp>.csv[.gz]``.

    A stamp without an offset is UTC if it ends in ``Z``, else in ``zone``. Table names contain ``_``: the longest
    known one that fits counts. Raises InputRefused ``unknown_name``.

    >>> from promptsync.vendors.prompt.tables_exports import TABLES
    >>> parse_name("message_1044_2026-02-04T00-00-00-0800Z.csv.gz", TABLES, ZoneInfo("UTC"))
    FileName(table='message', org_id=1044, as_of=1770192000000000)
    """
    stem = name.removesuffix(".gz").removesuffix(".csv")
    if not name.endswith(ENDINGS):
        raise _unknown(name, "it does not end in .csv or .csv.gz")
    for table in sorted(tables, key=lambda table: len(table.name), reverse=True):
        if not stem.startswith(f"{table.name}_"):
            continue
        rest = stem[len(table.name) + 1 :]
        org, stamp = rest.split("_", 1) if table.org_scoped and "_" in rest else ("", rest)
        if table.org_scoped and not _is_org(org):
            raise _unknown(name, f"no number of an organization follows the table {table.name}")
        return FileName(table.name, int(org) if table.org_scoped else None, _instant(name, stamp, zone))
    raise _unknown(name, "it begins with no known table")


def _is_org(text: str) -> bool:
    return re.fullmatch("[0-9]{1,19}", text) is not None and int(text) <= _MAX_ORG


def _instant(name: str, stamp: str, zone: ZoneInfo) -> int:
    match = _STAMP.fullmatch(stamp)
    if match is None:
        raise _unknown(name, "its stamp is not like 2026-02-04T00-00-00-0800Z")
    try:
        when = datetime.strptime(match["local"], "%Y-%m-%dT%H-%M-%S").replace(tzinfo=_zone(match, zone))
        return micros_of(when)
    except (ValueError, OverflowError):
        raise _unknown(name, "its stamp is no time that exists") from None


def _zone(match: re.Match[str], zone: ZoneInfo) -> timezone | ZoneInfo:
    if match["sign"]:
        offset = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"]))
        if int(match["minutes"]) > 59:
            raise ValueError("minutes of an offset")
        return timezone(-offset if match["sign"] == "-" else offset)
    return UTC if match["z"] else zone


def _unknown(name: str, why: str) -> InputRefused:
    return InputRefused("unknown_name", f"The file name {name!r} says nothing promptsync knows: {why}.")
