"""The services as ``service install`` leaves them in a system of its own, by systemd's own programs."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_place import run
from click.testing import Result

from promptsync.cli.outside import endpoint
from promptsync.cli.service import files_of
from promptsync.config import load_config

UNITS = ("etc/systemd/system/promptsync.service", "etc/systemd/system/promptsync-browse.service")
Service = Callable[..., Result]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation where services can see it."""
    monkeypatch.setattr("promptsync.cli.service._HIDDEN", ("/nowhere/",))  # wherever tests have their files
    found = tmp_path / "opt" / "bin" / "promptsync"
    found.parent.mkdir(parents=True)
    found.touch()
    monkeypatch.setattr(sys, "executable", str(found.with_name("python")))
    return found


@pytest.fixture
def root(tmp_path: Path, program: Path) -> Path:
    missing = [name for name in ("systemd-sysusers", "systemd-tmpfiles", "systemctl") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        if os.environ.get("CI"):
            pytest.fail("needs root, and systemd's programs")
        pytest.skip("needs root, and systemd's programs")
    folder = tmp_path / "root"
    (folder / "etc").mkdir(parents=True)
    return folder


def installed(root: Path) -> dict[str, tuple[int, bytes]]:
    """Every file of ours, with its mode and content."""
    ours = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}
    return {n: (p.stat().st_mode & 0o777, p.read_bytes()) for n, p in ours.items() if "promptsync" in n}


def test_installing_twice_is_installing_once(root: Path, program: Path) -> None:
    first = run("service", "install", "--root", root)
    assert first.exit_code == 0, first.output
    assert "user add NAME --admin" in first.output and "systemctl enable --now" in first.output
    before = installed(root)
    assert {name: before[f"etc/promptsync/{name}"][0] for name in ("promptsync.toml", "webhook.secret")} == {
        "promptsync.toml": 0o640,
        "webhook.secret": 0o600,
    }
    for unit in UNITS:
        text = before[unit][1].decode()
        assert f"ExecStart={program} --config /etc/promptsync/" in text and "/opt/promptsync/bin" not in text
    assert (root / "usr/local/bin/promptsync").readlink() == program
    configuration = root / "etc/promptsync/promptsync.toml"
    config = load_config(configuration)
    assert config.webhook.secrets and endpoint(config, "the secret in /etc/promptsync/webhook.secret") in first.output
    group = next(line for line in (root / "etc/group").read_text().splitlines() if line.startswith("promptsync:"))
    assert configuration.stat().st_gid == int(group.split(":")[2])
    again = json.loads(run("service", "install", "--root", root, "--json").stdout)
    assert {row["was"] for row in again["files"]} == {"there"}
    assert installed(root) == before


def test_an_upgrade_brings_new_units_and_keeps_what_is_the_administrators(root: Path) -> None:
    run("service", "install", "--root", root)
    (root / UNITS[0]).write_text("[Service]\nExecStart=/old\n")
    own = {"promptsync.toml": "# mine", "browse.toml": "# mine", "webhook.secret": "entered at the vendor"}
    for name, text in own.items():
        (root / "etc/promptsync" / name).write_text(text)
    (root / "usr/local/bin/promptsync").unlink()
    (root / "usr/local/bin/promptsync").write_text("somebody else's")
    would = run("service", "install", "--root", root, "--dry-run").output
    assert f"would replace: /{UNITS[0]}" in would and f"would leave: /{UNITS[1]}" in would
    assert (root / UNITS[0]).read_text().endswith("/old\n")
    assert run("service", "install", "--root", root).exit_code == 0
    assert "Type=notify" in (root / UNITS[0]).read_text()
    assert {name: (root / "etc/promptsync" / name).read_text() for name in own} == own
    assert (root / "usr/local/bin/promptsync").read_text() == "somebody else's"


def test_what_is_kept_is_not_read(root: Path) -> None:
    run("service", "install", "--root", root)
    (root / "etc/promptsync/webhook.secret").write_bytes(b"\xff")
    would = run("service", "install", "--root", root, "--dry-run")
    assert would.exit_code == 0 and "would leave: /etc/promptsync/webhook.secret" in would.output


def test_what_others_cannot_see_is_for_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as name:  # open to everybody, unlike the folders of tests
        folder = Path(name)
        folder.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(folder / "python"))
        (folder / "promptsync").touch()
        (folder / "etc/promptsync").mkdir(parents=True)
        (folder / "etc/promptsync").chmod(0o700)
        files = list(files_of(folder / "promptsync"))
        monkeypatch.setattr("promptsync.cli.service.files_of", lambda _: files)  # they may come from a closed folder
        command = ("service", "install", "--dry-run", "--root", folder)
        assert run(*command).exit_code == 0
        try:
            os.seteuid(65_534)
            result = run(*command)
        finally:
            os.seteuid(0)
    assert result.exit_code == 2
    assert f"run it with sudo: sudo {folder}/promptsync service install --dry-run --root {folder}" in result.stderr


def test_uninstalling_leaves_configuration_and_mirror(root: Path) -> None:
    run("service", "install", "--root", root)
    (root / "var/lib/promptsync/mirror.db").write_text("a mirror")
    before = set(installed(root))
    assert run("service", "uninstall", "--root", root, "--dry-run").exit_code == 0
    assert set(installed(root)) == before
    done = run("service", "uninstall", "--root", root)
    assert done.exit_code == 0, done.output
    assert {name for name in installed(root) if not name.startswith("var/lib/systemd")} == {
        "etc/promptsync/browse.toml",
        "etc/promptsync/promptsync.toml",
        "etc/promptsync/webhook.secret",
        "var/lib/promptsync/mirror.db",
    }
    assert not (root / "usr/local/bin/promptsync").is_symlink()
    assert "Nothing is installed." in run("service", "uninstall", "--root", root).output


def test_without_root_it_says_what_to_type(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for what in ("install", "uninstall"):
        result = run("service", what)
        assert result.exit_code == 2 and f"sudo {program} service {what}" in result.stderr
    assert run("service", "install", "--dry-run").exit_code == 0


def test_where_services_see_nothing_they_are_not_installed(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptsync.cli.service._HIDDEN", (f"{program.parent.parent}/",))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    result = run("service", "install")
    assert result.exit_code == 2 and "/opt/promptsync" in result.stderr
    program.unlink()
    result = run("service", "install")
    assert result.exit_code == 2 and "there is none" in result.stderr


def test_status_without_services(program: Path) -> None:
    rows = json.loads(run("service", "status", "--json").stdout)
    assert [row["unit"] for row in rows] == ["promptsync.service", "promptsync-browse.service"]
    assert run("service", "status").exit_code == 1
