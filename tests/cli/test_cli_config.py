"""``config show`` says what is in force so that the same configuration can be made of it, and no secret."""

import json
import re
from pathlib import Path

import pytest
from cli_place import Place, run

from promptsync.config import load_config

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
HIDDEN = "hunter2"


def everything(folder: Path) -> Path:
    """A configuration with every key there is, and a secret in every file that it names."""
    text = re.sub(r"^#(\[|[a-z_]+ = )", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)
    text = text.replace('channel = "#team"', f'channel = "#team"\ntoken = "{HIDDEN}"')
    text = text.replace("move_after_load", "#move_after_load")
    file = folder / "everything.toml"
    file.write_text(text)
    for name in re.findall(r'\{ file = "(.*?)" \}', text):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(HIDDEN)
    return file


def test_what_is_shown_is_the_same_configuration(tmp_path: Path, place: Place) -> None:
    for file in (everything(tmp_path), place.file):
        shown = run("--config", file, "config", "show")
        assert shown.exit_code == 0 and HIDDEN not in shown.output
        again = file.with_name("again.toml")
        again.write_text(shown.stdout.replace('"***"', f'"{HIDDEN}"'))
        assert load_config(again) == load_config(file)


def test_each_value_says_where_it_comes_from(place: Place) -> None:
    place.edit(r"^\[browse\](.|\n)*", "")
    pages = place.folder / "browse.toml"
    pages.write_text('[mirror]\ndatabase = "data/mirror.db"\n[browse]\nport = 99\nanonymous = true\n')
    told = json.loads(place.run("config", "show", "--json").stdout)
    assert (told["file"], told["pages_file"]) == (str(place.file), str(pages))
    came = {row["key"]: (row["value"], row["from"]) for row in told["values"]}
    assert came["webhook.port"] == (0, str(place.file))
    assert came["webhook.max_body"] == ("16 MiB", "default")
    assert came["webhook.secrets"] == ([{"file": "webhook.secret"}], str(place.file))
    assert came["browse.port"] == (99, str(pages))
    assert came["alerts.stale_after"] == ("36 hours", "default")


@pytest.mark.parametrize(
    ("pattern", "text", "code", "says"),
    [
        (r"\A", "", 0, ": right."),
        (r"\A", "[retention]\nmesage = '1 day'\n", 1, "did you mean 'message_error'"),
        (r"webhook\.secret", "gone.secret", 1, "gone.secret"),
        ("^secrets.*", "", 1, "anyone could deliver"),
        ("^port = 0", "prot = 0", 2, "did you mean 'port'"),
    ],
)
def test_check(place: Place, pattern: str, text: str, code: int, says: str) -> None:
    place.edit(pattern, text)
    result = place.run("config", "check")
    assert (result.exit_code, says in result.output) == (code, True), result.output
