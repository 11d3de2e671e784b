"""The tables as the declarations have them, for people and for programs, without a configuration."""

import json
import re
from pathlib import Path

import pytest
from cli_place import run

from promptsync.cli.schema import as_markdown, filled_from
from promptsync.model import Column, Kind, Role, Table
from promptsync.vendors import declared_schema

SCHEMA = declared_schema()


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_json_says_all_that_is_declared() -> None:
    told = json.loads(run("schema", "--json").stdout)
    assert [table["table"] for table in told] == [table.name for table in SCHEMA]
    for one, table in zip(told, SCHEMA, strict=True):
        assert (one["description"], tuple(one["key"])) == (table.about, table.key)
        assert [
            (c["name"], c["type"], c["unit"] or "", c["description"], c["group"] or "", c["references"] or "")
            for c in one["columns"]
        ] == [(c.name, c.kind.value, c.unit, c.about, c.group, c.references) for c in table.columns]


def test_markdown_says_the_same() -> None:
    sections = run("schema").stdout.split("\n## ")[1:]
    assert [section.split("\n", 1)[0] for section in sections] == [table.name for table in SCHEMA]
    for section, table in zip(sections, SCHEMA, strict=True):
        assert table.about in section
        rows = [cells(line) for line in section.splitlines() if line.startswith("| `")]
        assert [row[0] for row in rows] == [f"`{column.name}`" for column in table.columns]
        assert [row[3] for row in rows] == [column.about for column in table.columns]


def test_one_table() -> None:
    told = json.loads(run("schema", "message", "--json").stdout)
    assert told["table"] == "message"
    result = run("schema", "message")
    assert result.stdout.startswith("## message\n") and result.stdout.count("## ") == 1


def test_views_are_told_with_their_tables_and_alone() -> None:
    told = [view for table in json.loads(run("schema", "--json").stdout) for view in table["views"]]
    assert [
        (v["view"], v["description"], v["of"], tuple(v["per"]), v["newest"] or "", v["where"] or "") for v in told
    ] == [(v.name, v.about, v.table, v.per, v.newest, v.where) for v in SCHEMA.views]
    assert json.loads(run("schema", "cio_people_gone", "--json").stdout) in told
    markdown = run("schema").stdout
    for view in SCHEMA.views:
        assert f"View `{view.name}`: {view.about}" in markdown
        alone = run("schema", view.name).stdout
        assert alone.startswith(f"## {view.name}\n\n{view.about}\n") and f"`{view.table}`" in alone
    newest = "Rows with the newest `version` of each `workspace_id`, `campaign_id`, `action_id`."
    assert newest in run("schema", "cio_actions").stdout


def test_where_columns_come_from() -> None:
    message = SCHEMA["message"]
    assert filled_from(message, message.by_name["content"]) == ["export"]
    assert filled_from(message, message.by_name["status"]) == ["webhook"]
    assert filled_from(message, message.by_name["org_id"]) == ["export", "webhook"]
    channel, file = SCHEMA["channel"], SCHEMA["sync_file"]
    assert {tuple(filled_from(channel, column)) for column in channel.columns} == {("webhook",)}
    assert {tuple(filled_from(file, column)) for column in file.columns} == {("promptsync",)}
    report, people = SCHEMA["qlara_delivery_report"], SCHEMA["cio_people"]
    assert {tuple(filled_from(report, column)) for column in report.columns} == {("Qlara",)}
    assert {tuple(filled_from(people, column)) for column in people.columns} == {("change set",)}


def test_a_description_cannot_break_the_markdown() -> None:
    table = Table("t", "About", ("id",), (Column("id", Kind.TEXT, "this | that"),), Role.MIRROR)
    row = as_markdown(table).splitlines()[-1]
    assert len(cells(row)) == 7 and cells(row)[3] == "this | that"


@pytest.mark.parametrize(
    ("name", "near"),
    [("mesage", "'message'"), ("Contact", "'contact'"), ("cio_people_gon", "'cio_people_gone'"), ("zzzz", "")],
)
def test_an_unknown_table(name: str, near: str) -> None:
    result = run("schema", name)
    assert result.exit_code == 2
    assert near in result.stderr and "promptsync schema" in result.stderr and result.stderr.count("\n") == 1
