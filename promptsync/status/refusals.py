"""Deliveries that were refused, in sentences for whoever can do something about it.

Owns which reasons need a person, and what to do about each; pure. Anyone may knock at an address of the internet: a
wrong path or bytes that are no HTTP are a problem only as long as no delivery gets through.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from promptsync.clock import MICROS, parse_iso
from promptsync.errors import size_in_words
from promptsync.store.refusals import Oversized, RefusedDeliveries

_MIB: Final = 1 << 20
_MOST_KINDS: Final = 3
_DOCTOR: Final = "'promptsync doctor' says what is in the way"
_WORDS: Final = {
    "wrong_signature": ("wrong signature", "compare the secret in webhook.secrets with the one entered at Prompt"),
    "unsigned": (
        "no signature",
        "enter the secret at Prompt, or find out who else posts to this address",
    ),
    "wrong_password": ("wrong password", "compare webhook.basic_auth with the user and password entered at Prompt"),
    "wrong_header": ("wrong or missing header", "compare webhook.headers with what the proxy in front adds"),
    "path": ("wrong path", "compare webhook.path with the end of the address entered at Prompt"),
    "method": ("not sent with POST", "see that the proxy in front passes deliveries on as they are"),
    "content_encoding": ("compressed", "have the proxy in front pass bodies on as they are"),
    "event_type": ("header and path name different events", "see that the proxy in front keeps the whole path"),
    "not_json": ("not JSON", "find out who else posts to this address with the secret"),
    "unavailable": ("could not be stored", _DOCTOR),
    "unexpected": ("could not be stored", _DOCTOR),
    "no_room": ("too many large ones at once", "have the vendor send them again"),
}
"""What the listener's reasons are for people, and what to do. What is not here is the network's, and passes."""
_PASSING: Final = frozenset({"path", "method"})


def refused_problem(found: Sequence[RefusedDeliveries], let_in: str | None, zone: ZoneInfo) -> str | None:
    """A sentence for a person to act on; None if there is nothing to do.

    ``found``: those of the last hour; ``let_in``: when the newest delivery was stored (ISO); ``zone``: of clock times.
    """
    wrong = [one for one in found if one.reason in _WORDS and not _is_noise(one, let_in)]
    if not wrong:
        return None
    total, newest = sum(one.count for one in wrong), max(one.last_at for one in wrong)
    clock = datetime.fromtimestamp(parse_iso(newest) / MICROS, zone)
    parts = [f"{_WORDS[one.reason][0]}{f' ({one.count:,})' if len(wrong) > 1 else ''}" for one in wrong]
    actions = dict.fromkeys(_WORDS[one.reason][1] for one in wrong)
    return (
        f"{total:,} {'delivery was' if total == 1 else 'deliveries were'} refused in the last hour: "
        f"{', '.join(dict.fromkeys(parts))}, newest {clock:%H:%M}; {'; '.join(actions)}."
    )


def _is_noise(one: RefusedDeliveries, let_in: str | None) -> bool:
    """Whether deliveries get through, and somebody else does not."""
    return one.reason in _PASSING and let_in is not None and let_in >= one.first_at


def oversized_problem(found: Oversized | None, allowed: int) -> str | None:
    """A sentence for a person to act on; None if there is nothing to do. ``allowed``: ``webhook.max_body`` in bytes."""
    if found is None or found.largest <= allowed:
        return None
    kinds = sorted(found.count, key=lambda kind: -found.count[kind])
    of = ", ".join(kinds[:_MOST_KINDS]) + (" and others" if len(kinds) > _MOST_KINDS else "")
    one = found.total == 1
    allow, came = size_in_words(allowed), size_in_words(found.largest)
    return (
        f"{found.total:,} {'delivery was' if one else 'deliveries were'} refused, as {'it is' if one else 'they are'} "
        f"larger than webhook.max_body allows, and {'is' if one else 'are'} not in the mirror ({of}; {allow} "
        f"are allowed, {came} or more came; the last at {found.last_at}). Set webhook.max_body to "
        f'"{-(-found.largest // _MIB)} MiB" or more and restart; let a proxy in front pass as much (nginx: '
        "client_max_body_size, Caddy: request_body max_size); then have the vendor send them again."
    )
