"""Finding, reading and checking a configuration; every problem at once, none of them with a secret in it."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from promptsync.cli.config_file import find_config
from promptsync.config import Config, InvalidConfig, load_config
from promptsync.errors import ConfigError


def load(folder: Path, text: str) -> Config:
    path = folder / "promptsync.toml"
    path.write_text(text)
    return load_config(path)


def problems(folder: Path, text: str) -> dict[str, str]:
    with pytest.raises(InvalidConfig) as caught:
        load(folder, text)
    return {problem.key: problem.says for problem in caught.value.problems}


def test_values_have_their_units(tmp_path: Path) -> None:
    config = load(tmp_path, '[webhook]\nmax_body = "2 MiB"\n[alerts]\nstale_after = "1.5 hours"\n')
    assert config.webhook.max_body == 2 * 1024 * 1024
    assert config.alerts.stale_after == timedelta(minutes=90)
    assert config.mirror.timezone.key == "America/Los_Angeles"


def test_relative_paths_start_at_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load(
        tmp_path,
        '[mirror]\ndatabase = "m.db"\n[drop]\nfolder = "/elsewhere"\n[[nightly]]\nlocation = "exports"\n'
        'known_hosts = "kh"\n[[nightly]]\nlocation = "s3://bucket/x"\n',
    )
    assert config.mirror.database == tmp_path / "m.db"
    assert config.drop.folder == Path("/elsewhere")
    assert config.plugins.folder == tmp_path / "plugins"
    assert [place.location for place in config.nightly] == [str(tmp_path / "exports"), "s3://bucket/x"]
    assert config.nightly[0].known_hosts == tmp_path / "kh"
    monkeypatch.chdir(tmp_path)
    assert load_config(Path("promptsync.toml")).mirror.database == tmp_path / "m.db"


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """
        [webhok]
        [mirror]
        timezone = "America/Los_Angles"
        [webhook]
        prot = 1
        port = "8642"
        timezone = "UTC"
        secrets = ["hunter2"]
        allow_unauthenticated = "yes"
        [[nightly]]
        location = "s4://x/y"
        [[nightly]]
        schedule = "61 * * * *"
        [qlara]
        [customerio]
        [load]
        min_rows_share = 1.5
        [retention]
        events = "1 fortnight"
        """,
    )
    assert found["webhok"].endswith("did you mean 'webhook'?")
    assert "'America/Los_Angeles'" in found["mirror.timezone"]
    assert found["webhook.prot"].endswith("did you mean 'port'?")
    assert found["webhook.port"] == "must be a whole number, without quotes"
    assert found["webhook.timezone"].endswith("it belongs in [mirror]")
    assert all(way in found["webhook.secrets[1]"] for way in ("{ env", "{ file", "{ credential"))
    assert found["webhook.allow_unauthenticated"] == "must be true or false, without quotes"
    assert "unknown scheme" in found["nightly[1].location"]
    assert found["nightly[2].location"] == "is missing, it has no default"
    assert "minute" in found["nightly[2].schedule"]
    assert "qlara.api_key" in found
    assert found["customerio"].endswith("write [[customerio]]")
    assert found["load.min_rows_share"] == "must be at most 1.0"
    assert "fortnight" in found["retention.events"]
    assert len(found) == 14


def test_a_problem_never_shows_a_value(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig) as caught:
        load(
            tmp_path,
            '[webhook]\nsecrets = ["hunter2"]\nbasic_auth = { user = "a", password = "hunter2" }\n'
            '[qlara]\napi_key = { value = "hunter2" }\nbase_url = "https://u:hunter2@host/"\n',
        )
    assert len(caught.value.problems) == 4
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ('[browse]\nhost = "0.0.0.0"\nanonymous = true', "browse.anonymous", "loopback"),
        ('[browse]\nadmins = ["anna"]\n[browse.users]\nana = { env = "X" }', "browse.admins", "'ana'"),
        ('[webhook]\npath = "hooks"', "webhook.path", "slash"),
        ('[webhook]\npath = "/-/live"', "webhook.path", "/-/"),
        ("[webhook]\nport = 70000", "webhook.port", "at most 65535"),
        ('[webhook]\nhost = "http://x"', "webhook.host", "no scheme"),
        ('[webhook]\nmax_body = "0 MiB"', "webhook.max_body", "at least 1 byte"),
        ('[webhook.headers]\n"a b" = { env = "X" }', "webhook.headers", "'a b'"),
        ('[plugins]\nenabld = ["x"]', "plugins.enabld", "'enabled'"),
        ('[backup]\nlocation = "https://h/x"', "backup.location", "only hands out"),
        ('[backup]\nlocation = "ftp://b/x"', "backup.location", "unknown scheme"),
        ('[backup]\nkey = { env = "X" }', "backup.key", "write recipient"),
        ('[backup]\nrecipient = "AGE-SECRET-KEY-1XYZ"', "backup.recipient", "private key"),
        ('[backup]\nrecipient = "age1abc"', "backup.recipient", "age-keygen"),
        ("[backup]\nkeep = { daily = 0 }", "backup.keep.daily", "at least 1"),
        ('[[nightly]]\nlocation = "sftp://u:p@h/x"', "nightly[1].location", "password"),
        ('[[nightly]]\nlocation = "x"\nendpoint = "http://s3.local"', "nightly[1].endpoint", "allowed_hosts"),
        ('[[nightly]]\nlocation = "http://host/x"', "nightly[1].location", "unencrypted"),
        ('[[nightly]]\nlocation = "http://[/x"', "nightly[1].location", "can be read"),
        ('[webhook]\nsecrets = { file = "x" }', "webhook.secrets", "list"),
        ("webhook = 3", "webhook", "table"),
        ("[load]\nmax_ratio = nan", "load.max_ratio", "must be"),
    ],
)
def test_impossible_values(tmp_path: Path, text: str, key: str, says: str) -> None:
    found = problems(tmp_path, text)
    assert says in found[key]
    assert len(found) == 1


def test_plain_http_where_it_may_be(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        '[[nightly]]\nlocation = "x"\nendpoint = "http://127.0.0.1:9000"\n'
        '[[nightly]]\nlocation = "x"\nendpoint = "http://minio:9000"\nallowed_hosts = ["minio"]\n',
    )
    assert [place.endpoint for place in config.nightly] == ["http://127.0.0.1:9000", "http://minio:9000"]


@pytest.mark.parametrize(
    ("content", "says"), [(b"a = ", "valid TOML"), (b"a = '\xff'", "UTF-8"), (b"a" * 10, "valid TOML")]
)
def test_what_is_no_toml(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=says):
        load_config(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)


def test_browse_needs_no_secret_of_another_section(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        '[mirror]\n[browse]\nusers = { ana = { file = "ana.hash" } }\nadmins = ["ana"]\n'
        '[webhook]\nsecrets = [{ file = "absent" }]\n',
    )
    (tmp_path / "ana.hash").write_text("pbkdf2...\n")
    assert config.browse.users["ana"].reveal() == b"pbkdf2..."


def test_search_order(tmp_path: Path) -> None:
    named, other, here = (tmp_path / name for name in ("a.toml", "b.toml", "promptsync.toml"))
    for path in (named, other, here):
        path.write_text("")
    env = {"PROMPTSYNC_CONFIG": "b.toml"}
    assert find_config(named, env, tmp_path) == named
    assert find_config(None, env, tmp_path) == other
    assert find_config(None, {"PROMPTSYNC_CONFIG": ""}, tmp_path) == here
    other.unlink()
    with pytest.raises(ConfigError, match="PROMPTSYNC_CONFIG"):
        find_config(None, env, tmp_path)
    with pytest.raises(ConfigError, match="--config"):
        find_config(Path("missing.toml"), env, tmp_path)
    here.unlink()
    for env in ({"HOME": str(tmp_path)}, {"HOME": "/nowhere", "XDG_CONFIG_HOME": str(tmp_path / ".config")}):
        with pytest.raises(ConfigError, match=f"{tmp_path}/.config/promptsync/config.toml nor /etc.*promptsync init"):
            find_config(None, env, tmp_path)
    own = tmp_path / ".config" / "promptsync" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text("")
    assert find_config(None, {"HOME": str(tmp_path)}, tmp_path) == own
    assert find_config(None, {"HOME": "/nowhere", "XDG_CONFIG_HOME": str(tmp_path / ".config")}, tmp_path) == own
    here.write_text("")
    assert find_config(None, {"HOME": str(tmp_path)}, tmp_path) == here
    here.unlink()
    with pytest.raises(ConfigError, match="promptsync init"):
        find_config(None, {"XDG_CONFIG_HOME": "relative"}, tmp_path)


def test_loading_reads_nothing_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {})
    config = load(tmp_path, '[qlara]\napi_key = { env = "QLARA_KEY" }\n')
    assert config.qlara is not None
    assert config.qlara.messages is None
