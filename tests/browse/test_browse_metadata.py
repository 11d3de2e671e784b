"""What Datasette is told about the tables."""

import json

from promptsync.browse.metadata import metadata
from promptsync.model import Role, Schema


def tables(schema: Schema, **extra: list[str]) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = metadata(schema, extra)["databases"]["mirror"]["tables"]
    return found


def test_message_has_all_that_its_declaration_says(schema: Schema) -> None:
    entry = tables(schema)["message"]
    assert entry["description"] == "Every message in and out, with its delivery."
    assert entry["label_column"] == "content"
    assert entry["sort_desc"] == "created_timestamp"
    assert "sort" not in entry
    assert "facets" not in entry  # they would count millions of rows
    assert (entry["fts_table"], entry["fts_pk"]) == ("message_fts", "id")
    assert entry["size"] == 50


def test_units_are_said_once(schema: Schema) -> None:
    every = tables(schema)
    assert every["sync_file"]["columns"]["size"] == "Size (in bytes)"
    assert every["message"]["columns"]["segments"] == "Number of SMS segments; 1 for an MMS"
    assert not any("units" in entry for entry in every.values())


def test_unknown_columns_are_described_and_hidden_ones_are_not(schema: Schema) -> None:
    columns = tables(schema, contact=["shoe_size", "_rev", "phone"])["contact"]["columns"]
    assert columns["shoe_size"].startswith("Column that the vendor added")
    assert columns["phone"] == "Phone number of the contact"
    assert "_rev" not in columns
    assert "no longer" in columns["_absent_since"]


def test_internal_tables_are_hidden_and_in_no_group(schema: Schema) -> None:
    database = metadata(schema)["databases"]["mirror"]
    hidden = {name for name, entry in database["tables"].items() if entry.get("hidden")}
    assert hidden == {"sync_state", "sync_full_list", "sync_change", "sync_touched", "sync_zone", "_sqlite_migrations"}
    grouped = [name for group in database["groups"] for name in group["tables"]]
    assert sorted(grouped) == sorted({one.name for one in (*schema, *schema.views)} - hidden)


def test_every_table_sorts_by_a_column_it_has_and_what_is_recorded_newest_first(schema: Schema) -> None:
    for name, entry in tables(schema).items():
        column = entry.get("sort_desc") or entry.get("sort")
        shape = schema.shape(name)
        assert column is None or (shape and column in shape.by_name)
        assert name not in schema or schema[name].role is Role.MIRROR or "sort" not in entry


def test_it_is_plain_data(schema: Schema) -> None:
    assert json.loads(json.dumps(metadata(schema))) == metadata(schema)


def test_tables_and_columns_have_the_names_that_people_use(schema: Schema) -> None:
    every = tables(schema, message=["mood_of_day"])
    assert every["message"]["title"] == "Messages"
    assert every["cio_people_gone"]["title"] == "People deleted or suppressed in Customer.io"
    labels: dict[str, str] = every["message"]["labels"]  # type: ignore[assignment]
    assert (labels["is_successful"], labels["mood_of_day"]) == ("Arrived", "Mood of day")
    assert labels["_absent_since"] == "No longer exported since"
    assert labels.keys() >= every["message"]["columns"].keys()
