"""What Qlara turned out to answer.

Owns the sentence. Statuses of exports are an open set (facts beside the specifications): words that promptsync does not
know mean that it waits; here it says which have been seen.
"""

from promptsync.errors import names_in_words
from promptsync.plugins.declared import Finding, ReadOnly, note
from promptsync.store import spelling_counts


def check_statuses(mirror: ReadOnly) -> list[Finding]:
    """The statuses that exports have had."""
    with mirror.reading() as connection:
        seen = list(spelling_counts.read(connection).get(spelling_counts.STATUS, {}))
    return [note("vendors", f"Statuses of exports: {names_in_words(seen, 8) if seen else 'none seen yet'}.")]
