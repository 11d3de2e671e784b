"""Reading an export API's answers: ids, listings, links, refusals, waiting times.

Owns the tolerance for shapes that the vendor does not document; names come from the profile. Pure: bytes in, values
out, never an exception for what a server can send.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from promptsync.clock import MICROS, micros_of, parse_iso
from promptsync.vendors.qlara.profile import Names, VendorProfile, plain

_EPOCH_MILLIS = 10**11
_MOST_TEXT = 200
_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One job as the vendor lists it. ``status`` and ``type``: plain words. ``created``: microseconds, if it says so.

    ``ready``: whether it says that it can be downloaded; None if it says nothing.
    """

    id: str
    type: str
    status: str
    created: int | None
    ready: bool | None


def read_json(body: bytes) -> Any:
    """The JSON value of a body; None if it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def job_id(value: Any, profile: VendorProfile) -> str | None:
    """The id in the answer to a request, at the top or in a wrapper; None if there is none."""
    if not isinstance(value, dict):
        return None
    found = _text(_named(value, profile.id_names))
    if found is not None:
        return found
    for name in profile.wrappers:
        inner = _named(value, (name,))
        found = job_id(inner, profile) if isinstance(inner, dict) else _text(inner) if name == "export" else None
        if found is not None:
            return found
    return None


def entries(value: Any, names: Names) -> list[dict[str, Any]]:
    """The objects of a listing: a bare array, or one under any of these names."""
    if isinstance(value, dict):
        value = next((inner for inner in _each(value, names) if isinstance(inner, list | dict)), None)
        if isinstance(value, dict):
            return entries(value, names)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def read_entry(value: Mapping[str, Any], profile: VendorProfile) -> Entry | None:
    """One object of the listing; None if it has no id."""
    found = _text(_named(value, profile.id_names))
    if found is None:
        return None
    ready = _named(value, profile.ready_names)
    return Entry(
        id=found,
        type=plain(_text(_named(value, profile.type_names)) or ""),
        status=plain(_text(_named(value, profile.status_names)) or ""),
        created=_instant(_named(value, profile.created_names)),
        ready=ready if isinstance(ready, bool) else None,
    )


def read_link(body: bytes, profile: VendorProfile) -> str | None:
    """The link in an answer: in a JSON object, as a JSON string, or as plain text."""
    value = read_json(body)
    while isinstance(value, dict):
        link = _named(value, profile.link_names)
        if isinstance(link, str):
            return link.strip() or None
        value = next((inner for inner in _each(value, profile.wrappers) if isinstance(inner, dict)), None)
    text = value if isinstance(value, str) else body.decode("utf-8", "replace") if value is None else ""
    match = _ADDRESS.fullmatch(text.strip())
    return match[0] if match else None


def message_of(body: bytes) -> str:
    """What a refusal says, in at most 200 printable characters and without addresses."""
    value = read_json(body)
    said = _named(value, ("message", "detail", "error", "title")) if isinstance(value, dict) else value
    text = said if isinstance(said, str) else ""
    clean = "".join(sign if sign.isprintable() else " " for sign in _ADDRESS.sub("(address)", text))
    return " ".join(clean.split())[:_MOST_TEXT]


def retry_after(headers: Mapping[str, str], body: bytes, now: int) -> float | None:
    """Seconds to wait before asking again: the longer of what body and header say. ``now``: microseconds."""
    value = read_json(body)
    said = [_named(value, ("retryafter",)) if isinstance(value, dict) else None, _header_wait(headers, now)]
    numbers = [number for number in map(_number, said) if number is not None]
    return max(numbers) if numbers else None


def server_time(headers: Mapping[str, str]) -> int | None:
    """The server's own clock (header Date), in microseconds."""
    try:
        return micros_of(parsedate_to_datetime(headers["Date"]))
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def _header_wait(headers: Mapping[str, str], now: int) -> object:
    said = headers.get("Retry-After")
    if said is None or _number(said) is not None:
        return said
    try:
        return (micros_of(parsedate_to_datetime(said)) - now) / MICROS
    except (ValueError, TypeError, OverflowError):
        return None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return max(number, 0.0) if math.isfinite(number) else None


def _instant(value: object) -> int | None:
    number = None if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
    try:
        if number is not None:
            return int(number * (1000 if abs(number) >= _EPOCH_MILLIS else MICROS))
        return parse_iso(value) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


def _named(value: Mapping[str, Any], names: Names) -> Any:
    """The first value that is not null under any of these plain names, in the names' order."""
    return next(_each(value, names), None)


def _each(value: Mapping[str, Any], names: Names) -> Iterator[Any]:
    by_plain = {plain(name): inner for name, inner in value.items()}
    return (by_plain[name] for name in names if by_plain.get(name) is not None)


def _text(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value).strip()
    return text if text and len(text) <= _MOST_TEXT and text.isprintable() else None
