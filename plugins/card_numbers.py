"""Keeps card numbers out of the mirror: whatever looks like one in a message is masked before it is merged.

    [plugins]
    enabled = ["card_numbers"]

Messages that came before the plugin was enabled stay as they are. The delivery itself is kept as it was received, for
as long as ``[retention] events`` says.
"""

import re

import pyarrow as pa

from promptsync import Claims, Filter, Settings, hookimpl

CARD = re.compile(r"\b(?:\d[ -]?){12,15}\d\b")
MASK = "[card number]"


@hookimpl
def filters(settings: Settings) -> list[Filter]:
    """Of both ways in: deliveries, and nightly files."""
    return [Filter(claims=mask_claims, rows=mask_rows)]


def mask_claims(type_: str, claims: Claims) -> None:
    """Change the claims of one delivery in place."""
    for row in claims.rows:
        if row.table == "message":
            for name, (version, values) in row.groups.items():
                masked = tuple(CARD.sub(MASK, value) if isinstance(value, str) else value for value in values)
                row.groups[name] = (version, masked)


def mask_rows(table: str, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Give a batch of the same columns."""
    if table != "message" or "content" not in batch.schema.names:
        return batch
    place = batch.schema.get_field_index("content")
    texts = [None if text is None else CARD.sub(MASK, text) for text in batch.column(place).to_pylist()]
    return batch.set_column(place, batch.schema.field(place), pa.array(texts, batch.schema.field(place).type))
