"""How one cell is shown to people: in a page, and in a spreadsheet.

Pure. Every value may come from a stranger: what is not built here from known parts is escaped. What it does not
know it leaves to Datasette (None), which escapes too.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from promptsync.browse import phones
from promptsync.clock import parse_iso
from promptsync.model import Column, Kind

ABSENT = "_absent_since"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FORMULA = re.compile("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_PHONE = re.compile(r"\+[0-9]+")
_ADDRESSES = frozenset({"from", "to", "recipient", "destination", "sender"})  # phone numbers among others
_SURROGATE = re.compile("[\ud800-\udfff]")  # half of a pair, which JSON can spell and no page can hold
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_LABEL_LENGTH = 60


def cell(name: str, column: Column | None, value: object, zone: ZoneInfo) -> Markup | None:
    """A cell as HTML, by its column's declaration; None where Datasette's own way is right."""
    if name == ABSENT and isinstance(value, str):
        return _absent(value, zone)
    if column is None or value is None or value == "":
        return None
    if column.kind is Kind.BOOLEAN and value in (0, 1):
        return escape(yes_no(value))
    if column.unit.startswith("microseconds since") and isinstance(value, int):
        return when(value, zone)
    if column.unit and isinstance(value, int):
        return escape(f"{value:,}")
    if not isinstance(value, str):
        return None
    if column.kind is Kind.TIME or name.endswith("_at"):
        return _time(value, zone)
    if column.kind is Kind.JSON:
        return _pretty(value)
    if name == "phone" or name.endswith("_phone") or (name in _ADDRESSES and _PHONE.fullmatch(value)):
        return Markup('<span class="phone">{}</span>').format(phones.shown(value))
    return None


def link(address: str, key: object, label: object) -> Markup:
    """A link to another row, by its label (cut at 60 characters) or else by its key."""
    text = " ".join(str(label if label not in (None, "") else key).split()) or str(key)
    if len(text) > _LABEL_LENGTH:
        text = text[: _LABEL_LENGTH - 1] + "…"
    return Markup('<a href="{}" title="{}">{}</a>').format(address, key, text)


def clean(text: str | None) -> str:
    """Text of strangers without what turns its direction, and without invisible controls; line ends as one character.

    >>> clean("a\u202eb\x00\r\nc")
    'ab\nc'
    """
    if not text:
        return ""
    text = _INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _SURROGATE.sub("\ufffd", text)


def yes_no(value: object) -> str:
    """How a BOOLEAN column's 1 and 0 read."""
    return "yes" if value else "no"


def when(micros: int, zone: ZoneInfo) -> Markup | None:
    """A time (microseconds since the epoch) in a zone, to the minute; its title says it in UTC. None: no such day."""
    try:
        utc = _EPOCH + timedelta(microseconds=micros)
        local = utc.astimezone(zone)
    except OverflowError:
        return None
    shown = f"{local.day} {_MONTHS[local.month - 1]} {local.year}, {local:%H:%M}"
    exact = utc.isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")
    return Markup('<time datetime="{}Z" title="{} UTC">{}</time>').format(exact.replace(" ", "T"), exact, shown)


def guarded(value: object) -> object:
    """A CSV cell that no spreadsheet takes for a formula: risky text gets a leading apostrophe, phones are left alone.

    >>> guarded("=1+1"), guarded("+14155550123"), guarded(-5), guarded("a=b")
    ("'=1+1", '+14155550123', -5, 'a=b')
    """
    if isinstance(value, dict):  # a foreign key with its label
        return {part: guarded(content) for part, content in value.items()}
    if isinstance(value, str) and _FORMULA.match(value) and not _PHONE.fullmatch(value):
        return "'" + value
    return value


def _time(text: str, zone: ZoneInfo) -> Markup | None:
    try:
        return when(parse_iso(text), zone)
    except (ValueError, OverflowError):
        return None


def _absent(text: str, zone: ZoneInfo) -> Markup:
    return Markup('<span class="absent">no longer in the export since {}</span>').format(_time(text, zone) or text)


def _pretty(text: str) -> Markup | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(document, list) and document and all(isinstance(one, str) and "," not in one for one in document):
        return escape(_SURROGATE.sub("\ufffd", ", ".join(document)))
    shown = _SURROGATE.sub("\ufffd", json.dumps(document, indent=2, ensure_ascii=False))
    return Markup('<pre class="json" tabindex="0">{}</pre>').format(shown)
