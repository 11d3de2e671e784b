"""``config show`` says what is in force so that the same configuration can be made of it, and no secret."""

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from cli_place import Place, run
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsync.config import load_config

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
HIDDEN = "hunter2"


def everything(folder: Path) -> Path:
    """A configuration with every key there is, and a secret in every file that it names."""
    text = re.sub(r"^#(\[|[a-z_]+ = )", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)
    text = text.replace('channel = "#team"', f'channel = "{HIDDEN}"\ntoken = "{HIDDEN}"')
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


texts = st.from_regex(r"[a-z]{0,3}hunter2[A-Z]{0,3}", fullmatch=True)
web_addresses = st.builds("https://{0}@host.example/exports/?sig={0}".format, texts)
leaves = st.integers(0, 9) | st.booleans() | texts | web_addresses | st.builds("postgres://u:{}@h/db".format, texts)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["pin", "url"]), inner)
        | st.fixed_dictionaries({"file": inner, "pin": inner})
    ),
    max_leaves=6,
)


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from(["tokens", "auth", "dsn", "api_key"]), values), texts)
def test_no_text_that_could_be_a_secret_is_shown(given: dict[str, Any], token: str) -> None:
    place = {"location": f"https://{token}@host.example/exports/?sig={token}#{token}"}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "promptsync.toml"
        file.write_text(tomlkit.dumps({"nightly": [place], "plugins": {"shifts": given}}))
        for form in ([], ["--json"]):
            shown = run("--config", file, "config", "show", *form)
            assert shown.exit_code == 0 and HIDDEN not in shown.stdout and "/exports/?***#***" in shown.stdout


def test_numbers_and_the_places_of_secrets_are_shown(place: Place) -> None:
    own = 'tokens = [{ env = "SLACK" }, 3]\nauth = { user = "x", pin = 12, on = true }\n'
    place.file.write_text(f"{place.file.read_text()}\n[plugins.shifts]\n{own}")
    shown = [line.partition("  #")[0].rstrip() for line in place.run("config", "show").stdout.splitlines()]
    assert set(own.replace('"x"', '"***"').splitlines()) <= set(shown)


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


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [("names", 0, ": right."), ("nmaes", 1, "did you mean names?"), ("broken", 1, "ZeroDivisionError in line 1")],
)
def test_a_plugin_that_keeps_the_daemon_from_starting_is_a_problem(
    place: Place, name: str, code: int, says: str
) -> None:
    assert place.run("plugins", "new", "names").exit_code == 0
    (place.folder / "plugins" / "broken.py").write_text("1 / 0\n")
    place.edit(r"\A", f'[plugins]\nenabled = ["{name}"]\n')
    result = place.run("config", "check")
    assert (result.exit_code, says in result.output) == (code, True), result.output
