"""What a person should know of deliveries that were refused for their size.

Owns the sentence, and that there is nothing left to do once as much is allowed as was refused. Opens nothing.
"""

from typing import Final

from promptsync.errors import size_in_words
from promptsync.store.oversized import Oversized

_MIB: Final = 1 << 20
_MOST_KINDS: Final = 3


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
