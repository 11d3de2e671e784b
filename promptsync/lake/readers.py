"""How other programs read a lake's tables.

Owns the statement that makes a Delta table visible to each. Knows nothing of what is in one, and needs none of the
lake's libraries.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from promptsync.model import Role

if TYPE_CHECKING:
    from promptsync.lake.lake import Lake


def _duckdb(name: str, url: str) -> str:
    return f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM delta_scan('{url}');"


def _spark(name: str, url: str) -> str:
    return f"CREATE TABLE IF NOT EXISTS {name} USING DELTA LOCATION '{url}';"


def _trino(name: str, url: str) -> str:
    return f"CALL delta.system.register_table('default', '{name}', '{url}');"


def _snowflake(name: str, url: str) -> str:
    path = "/".join(url.rsplit("/", 2)[-2:])
    return (
        f"CREATE ICEBERG TABLE IF NOT EXISTS {name} CATALOG = 'delta_catalog' EXTERNAL_VOLUME = 'promptsync' "
        f"BASE_LOCATION = '{path}';"
    )


def _bigquery(name: str, url: str) -> str:
    options = f"format = 'DELTA_LAKE', uris = ['{url}']"
    return f"CREATE EXTERNAL TABLE IF NOT EXISTS promptsync.{name} WITH CONNECTION DEFAULT OPTIONS ({options});"


READERS: Final[Mapping[str, Callable[[str, str], str]]] = {
    "duckdb": _duckdb,
    "spark": _spark,
    "trino": _trino,
    "snowflake": _snowflake,
    "bigquery": _bigquery,
}
"""Who reads Delta tables, and the statement that makes one visible there: from its name and where it is."""


def statements(lake: "Lake", reader: str) -> Iterator[str]:
    """One for each table that there is."""
    for table in lake.schema:
        if table.role is not Role.OWN and lake.tables.present(table) is not None:
            yield READERS[reader](table.name, lake.storage.table_url(table.name))
