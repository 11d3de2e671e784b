"""The first command: files with the right permissions that work at once, and nothing ever overwritten."""

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pytest
from cli_place import run

from promptsync.cli.browse import browse_settings
from promptsync.cli.init import machine_zone
from promptsync.cli.outside import endpoint, proxy_blocks
from promptsync.config import Config, load_config, open_access


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_files_and_folders_with_their_permissions(tmp_path: Path) -> None:
    result = run("init", tmp_path / "new" / "account")
    assert result.exit_code == 0
    folder = tmp_path / "new" / "account"
    found = {str(path.relative_to(folder)): mode(path) for path in folder.rglob("*")}
    assert found == {"promptsync.toml": 0o600, "webhook.secret": 0o600, "data": 0o750, "drop": 0o750}
    assert mode(folder) == 0o750


def test_the_written_file_works_as_it_is(tmp_path: Path) -> None:
    run("init", tmp_path)
    config = load_config(tmp_path / "promptsync.toml")
    assert open_access(config.webhook).secrets == ((tmp_path / "webhook.secret").read_bytes(),)
    assert browse_settings(config).problems() == ()
    assert browse_settings(config).anonymous
    assert config.mirror.database == tmp_path / "data" / "mirror.db"
    assert config.drop.folder == tmp_path / "drop"


def test_it_says_what_to_enter_at_the_vendor(tmp_path: Path) -> None:
    said = run("init", tmp_path).stdout
    secret = (tmp_path / "webhook.secret").read_text()
    assert len(secret) >= 32 and secret.isalnum()
    assert said.count(secret) == 1
    assert endpoint(load_config(tmp_path / "promptsync.toml"), f"this secret:\n          {secret}\n") in said
    for expected in ("https://YOUR-HOST/hooks/prompt", "X-Hub-Signature", "run", "browse", "promptsync user add"):
        assert expected in said


def test_it_says_what_a_proxy_in_front_is_told(tmp_path: Path) -> None:
    said = run("init", tmp_path).stdout
    blocks = json.loads(run("init", tmp_path / "again", "--json").stdout)["proxy"]
    assert set(blocks) == {"caddy", "nginx"}
    for block in blocks.values():
        assert indent(block, "      ").rstrip() in said
        assert "127.0.0.1:8642" in block and "127.0.0.1:8643" in block and "/hooks/prompt/" in block
    assert "YOUR-HOST {" in blocks["caddy"] and "client_max_body_size 16m;" in blocks["nginx"]


def test_other_ports_paths_and_sizes_stand_in_the_blocks(tmp_path: Path) -> None:
    webhook = {"port": 1, "path": "/in", "max_body": "17.5 MiB", "secrets": [{"file": "s"}]}
    blocks = proxy_blocks(
        Config.read({"webhook": webhook, "browse": {"host": "::1", "port": 2}}, tmp_path), "a.example"
    )
    for kind in ("caddy", "nginx"):
        assert "127.0.0.1:1" in blocks[kind] and "/in/" in blocks[kind] and "[::1]:2" in blocks[kind]
        assert "/mirror/" in blocks[f"{kind}-prefix"]
        assert "864" not in blocks[kind] + blocks[f"{kind}-prefix"]
    assert "a.example {" in blocks["caddy"] and "client_max_body_size 18m;" in blocks["nginx"]


def test_the_time_zone_is_that_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zone = "Pacific/Auckland"
    command = [sys.executable, "-m", "promptsync", "init", str(tmp_path), "--json"]
    said = subprocess.run(command, env=os.environ | {"TZ": zone}, capture_output=True, text=True, timeout=120)
    assert (said.returncode, json.loads(said.stdout)["timezone"]) == (0, zone)
    assert load_config(tmp_path / "promptsync.toml").mirror.timezone.key == zone
    monkeypatch.setattr("tzlocal.get_localzone_name", lambda: "local")
    assert machine_zone() == "America/Los_Angeles"


def test_secrets_are_fresh(tmp_path: Path) -> None:
    assert {run("init", tmp_path / name).exit_code for name in "ab"} == {0}
    assert (tmp_path / "a" / "webhook.secret").read_text() != (tmp_path / "b" / "webhook.secret").read_text()


def test_the_same_for_programs(tmp_path: Path) -> None:
    told = json.loads(run("init", tmp_path, "--json").stdout)
    assert told["webhook"]["url"] == "https://YOUR-HOST/hooks/prompt"
    assert told["webhook"]["secret"] == (tmp_path / "webhook.secret").read_text()
    assert told["secret_kept"] is False
    assert Path(told["config"]).is_file() and Path(told["drop"]).is_dir() and Path(told["data"]).is_dir()


def test_quiet_keeps_the_secret_to_its_file(tmp_path: Path) -> None:
    result = run("--quiet", "init", tmp_path)
    assert (result.exit_code, result.output) == (0, "")


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    run("init", tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    result = run("init", tmp_path)
    assert result.exit_code == 2
    assert result.stderr.startswith("promptsync: ") and result.stderr.count("\n") == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_configuration_without_its_secret_gets_none(tmp_path: Path) -> None:
    (tmp_path / "promptsync.toml").write_text("")
    assert run("init", tmp_path).exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["promptsync.toml"]


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "promptsync.toml").write_text("somebody else's")
    monkeypatch.setattr("os.path.lexists", lambda _: False)
    result = run("init", tmp_path)
    assert result.exit_code == 2 and "is in the way" in result.stderr
    assert (tmp_path / "promptsync.toml").read_text() == "somebody else's"


def test_not_even_a_link_to_nowhere_is_followed(tmp_path: Path) -> None:
    (tmp_path / "promptsync.toml").symlink_to(tmp_path / "elsewhere")
    assert run("init", tmp_path).exit_code == 2
    assert not (tmp_path / "elsewhere").exists()


def test_a_secret_that_is_there_is_kept(tmp_path: Path) -> None:
    secret = tmp_path / "webhook.secret"
    secret.write_text("entered at the vendor long ago\n")
    secret.chmod(0o600)
    told = json.loads(run("init", tmp_path, "--json").stdout)
    assert (told["secret_kept"], told["webhook"]["secret"]) == (True, "entered at the vendor long ago")
    assert secret.read_text() == "entered at the vendor long ago\n"


@pytest.mark.parametrize(("content", "permissions"), [("", 0o600), ("known to all", 0o644), ("a\nb", 0o600)])
def test_an_unusable_secret_is_not_used(tmp_path: Path, content: str, permissions: int) -> None:
    (tmp_path / "webhook.secret").write_text(content)
    (tmp_path / "webhook.secret").chmod(permissions)
    result = run("init", tmp_path)
    assert result.exit_code == 2 and "webhook.secret" in result.stderr
    assert not content or content not in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["webhook.secret"]


def test_something_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    result = run("init", tmp_path)
    assert result.exit_code == 2 and str(tmp_path / "data") in result.stderr
    assert not (tmp_path / "promptsync.toml").exists()


def test_a_folder_that_cannot_be_made() -> None:
    result = run("init", "/proc/nowhere/account")
    assert result.exit_code == 3 and "cannot be written" in result.stderr


def test_the_next_commands_work_where_they_are_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert json.loads(run("init", "--json").stdout)["next"]["run"] == "promptsync run"
    told = json.loads(run("init", "an account", "--json").stdout)
    assert told["next"]["run"] == f"promptsync --config '{tmp_path}/an account/promptsync.toml' run"
    monkeypatch.setenv("PROMPTSYNC_CONFIG", "other.toml")
    (tmp_path / "promptsync.toml").unlink()
    assert "--config" in json.loads(run("init", "--json").stdout)["next"]["run"]
    assert run("--config", "x.toml", "init", "z").exit_code == 2
