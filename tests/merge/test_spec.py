"""What the reference says, as examples; that it stands alone; and that versions sort as it says."""

import ast
import inspect
from itertools import product

from promptsync.merge import spec
from promptsync.merge import version as stored
from promptsync.merge.spec import EXPORT, SNAPSHOT, STAGES, WEBHOOK, ClaimSet, first_after, order, version


def test_each_column_takes_the_greatest_version_and_of_equal_ones_the_greatest_value() -> None:
    claims = ClaimSet()
    claims.say("contact", (1,), version(10, SNAPSHOT), {"name": "b", "region": "NY"})
    claims.say("contact", (1,), version(10, SNAPSHOT), {"name": "a", "region": "Zürich"})
    claims.say("contact", (1,), version(11, SNAPSHOT), {"region": None})
    row = claims.rows["contact", (1,)]
    assert (row.value("name"), row.value("region"), row.value("phone")) == ("b", None, None)
    assert (row.version("name"), row.version("phone")) == (version(10, SNAPSHOT), ())


def test_a_row_is_absent_since_the_first_snapshot_after_it_was_last_seen() -> None:
    claims = ClaimSet()
    for at in (10, 20, 30):
        claims.apply_snapshot("contact", 1, at)
    claims.see("contact", (1,), 1, 20)
    claims.mention("contact", (2,), 1)
    assert (claims.absent_since("contact", (1,), 1), claims.absent_since("contact", (2,), 1)) == (30, None)
    assert [first_after(seen, (10, 20)) for seen in (None, 5, 10, 20)] == [None, 10, 20, None]


def test_values_sort_as_in_the_mirror() -> None:
    values = [b"a", "ä", 3, None, "a", 2.5, "Z"]
    assert sorted(values, key=order) == [None, 2.5, 3, "Z", "a", "ä", b"a"]


def test_stored_versions_sort_as_the_reference_says() -> None:
    """One integer, whose bits are the parts from the left."""
    pairs = [
        *((version(at, rank), stored.version(at, stored.Rank(rank))) for at in (1, 2, 1 << 51) for rank in range(3)),
        *((version(at, WEBHOOK, status), stored.status_version(at, status)) for at, status in product((1, 2), STAGES)),
    ]
    assert [number for _, number in sorted(pairs)] == sorted(number for _, number in pairs)
    assert (EXPORT, SNAPSHOT, WEBHOOK) == (stored.Rank.ASYNC_EXPORT, stored.Rank.SNAPSHOT, stored.Rank.WEBHOOK)
    assert stored.STAGES == STAGES


def test_the_reference_imports_nothing_of_promptsync() -> None:
    nodes = [node for node in ast.walk(ast.parse(inspect.getsource(spec))) if isinstance(node, ast.ImportFrom)]
    assert {node.module for node in nodes} == {"collections", "collections.abc", "dataclasses"}
