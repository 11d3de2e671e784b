"""Keeps card numbers out of the mirror: anything that looks like one in a message is masked before it is merged.

    [plugins]
    enabled = ["card_numbers"]

Messages that came before the plugin was enabled stay as they are. The delivery itself is kept as it was received, for
as long as ``[retention] events`` says.
"""

import re
from typing import Any

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


def mask_rows(table: str, batch: Any) -> Any:
    """Give a pyarrow.RecordBatch of the same columns; most have nothing to mask."""
    if table != "message" or not any(CARD.search(text or "") for text in batch["content"].to_pylist()):
        return batch
    rows = [row | {"content": row["content"] and CARD.sub(MASK, row["content"])} for row in batch.to_pylist()]
    return type(batch).from_pylist(rows, schema=batch.schema)
