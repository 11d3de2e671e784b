"""What people get wrong, and the one sentence that each is answered by: what to do, in words, and never a traceback."""

import pytest
from cli_place import Place

_OPEN = "[webhook]\nallow_unauthenticated = true\n"
CONFIGURATIONS = [
    ("[webhook]\nmax_boddy = 5", "webhook.max_boddy is not a known key, did you mean 'max_body'?"),
    ("port = 5", "port is not a known key, it belongs in [webhook] or [browse]."),
    ('[mirror]\ntimezone = "PST"', "'timedatectl list-timezones' lists them"),
    ('[mirror]\ntimezone = "America/San_Francisco"', "'timedatectl list-timezones' lists them"),
    ('[mirror]\ntimezone = "America/Los_Angelos"', "did you mean 'America/Los_Angeles'?"),
    ('[mirror]\ndatabase = "C:\\Users\\ana"', "write \\\\ for each backslash, or the text in single quotes"),
    ("[mirror]\ndatabase = \u201cdata\u201d", "use straight quotes"),
    ('[webhook]\nsecrets = { file = "x" }', '[{ file = "webhook.secret" }]'),
    ('[webhook]\nsecrets = [{ file = "nix" }]', "'promptsync secret set' puts one there"),
    ('[webhook]\nsecrets = ["plain"]', "{ file = "),
    (_OPEN + '[drop]\nfolder = "data"', "must have a folder of its own"),
    (_OPEN + '[drop]\nfolder = "."', "must have a folder of its own"),
    (_OPEN + '[plugins]\nenabled = ["opt_out_alrt"]', "did you mean opt_out_alert?"),
    ('[[nightly]]\nlocation = "ftp://x"', "write s3://, gs://, az://, sftp://, https:// or a path"),
    ('[backup]\nkey = { file = "x" }', "recipient"),
    ('[retention]\nevents = "soon"', '"forever" or whole days'),
    ('[alerts]\nwebhook_stale_after = "soon"', 'or "auto" or "never"'),
    ('[log]\nlevel = "loud"', "'error', 'warning', 'info' or 'debug'"),
]


@pytest.mark.parametrize(("text", "says"), CONFIGURATIONS)
def test_what_is_wrong_with_a_configuration_is_said(place: Place, text: str, says: str) -> None:
    (place.folder / "plugins").mkdir(exist_ok=True)
    (place.folder / "plugins/opt_out_alert.py").touch()
    place.file.write_text(text)
    done = place.run("doctor")
    (line,) = [line for line in done.output.splitlines() if says in line]
    assert "?." not in line and "  or" not in line and not line.endswith("..")
    assert "should not have happened" not in done.output and done.exit_code in (1, 2)


USES: list[tuple[list[str], int, str]] = [
    (["events", "list", "--type", "mesage/added"], 2, "did you mean message/added?"),
    (["events", "replay", "--type", "mesage/added"], 2, "did you mean message/added?"),
    (["events", "replay"], 2, "or --all for every one of them"),
    (["events", "replay", "--all", "--failed"], 2, "Say which"),
    (["reset", "contact"], 2, "contact cannot be reset"),
    (["erase", "--contact", "4711", "--yes"], 0, "Nothing is held of this person"),
    (["files", "show", "9"], 2, "'promptsync files list'"),
    (["files", "accept", "9"], 2, "'promptsync files list'"),
    (["rejects", "show", "9"], 2, "'promptsync rejects list'"),
    (["load", "nowhere.csv"], 2, "check the spelling"),
    (["fetch", "shifts"], 2, "add a [[nightly]]"),
    (["restore", "latest"], 2, "give --replace"),
    (["backup"], 2, "age-keygen"),
    (["secret", "set", "webhook.secert"], 2, "webhook.secrets"),
    (["user", "remove", "bob"], 2, "bob"),
    (["export", "request", "contacts"], 2, "[qlara]"),
    (["schema", "mesage"], 2, "message"),
]


@pytest.mark.parametrize(("words", "code", "says"), USES, ids=[" ".join(words) for words, _, _ in USES])
def test_what_is_wrong_with_a_command_is_said(mirror: Place, words: list[str], code: int, says: str) -> None:
    done = mirror.run(*words)
    assert done.exit_code == code, done.output
    assert says in done.output and "should not have happened" not in done.output
    assert "[y/N]" not in done.output, "refused before it is asked about"


@pytest.fixture
def mirror(place: Place) -> Place:
    (place.folder / "org_2026-02-04T00-00-00-0800Z.csv").write_text("id,name\n1,Green Valley\n")
    assert place.run("load", place.folder / "org_2026-02-04T00-00-00-0800Z.csv").exit_code == 0
    return place


def test_the_configuration_may_be_named_behind_the_command(mirror: Place) -> None:
    from click.testing import CliRunner

    from promptsync.cli import main

    for words in (["schema", "org", "--config", str(mirror.file)], ["schema", f"--config={mirror.file}", "org"]):
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 0 and "org" in done.output
    done = CliRunner().invoke(main, ["status", "--config", str(mirror.folder)])
    assert done.exit_code == 2 and "that is a folder" in done.output
