"""The units, as systemd's own tools judge them, and the files that are installed beside them."""

import os
import re
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest

from promptsync.config import load_config

SYSTEMD = Path(__file__).parents[2] / "systemd"
UNITS = ("promptsync.service", "promptsync-browse.service")
WORST = 2.0
DATA = Path("/var/lib/promptsync")


class Directives(RawConfigParser):
    """A unit's sections; of a directive that stands twice the last."""

    def __init__(self, name: str) -> None:
        super().__init__(strict=False, interpolation=None, comment_prefixes=("#",), delimiters=("=",))
        self.optionxform = str  # type: ignore[assignment,method-assign]
        self.read(SYSTEMD / name)


@pytest.fixture
def analyze() -> str:
    """The program that judges units. Where everything has to be tested it must be there."""
    found = shutil.which("systemd-analyze")
    if found is None and os.environ.get("CI"):
        pytest.fail("systemd-analyze is missing: install systemd")
    return found or pytest.skip("systemd-analyze is not installed")


@pytest.mark.parametrize("unit", UNITS)
def test_the_sandbox_is_tight(analyze: str, unit: str) -> None:
    command = [analyze, "security", "--no-pager", "--offline=true", SYSTEMD / unit]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60)
    exposure = re.search(rf"Overall exposure level for {re.escape(unit)}: ([0-9.]+)", said.stdout)
    assert exposure, said.stderr
    assert float(exposure[1]) <= WORST, "\n".join(line for line in said.stdout.splitlines() if line.startswith("✗"))


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_understands_every_line(analyze: str, unit: str, tmp_path: Path) -> None:
    for name in UNITS:  # a program that is there stands for the installed one
        text = (SYSTEMD / name).read_text().replace("/opt/promptsync/bin/promptsync", sys.executable)
        (tmp_path / name).write_text(text)
    command = [analyze, "verify", "--man=no", "--recursive-errors=no", tmp_path / unit]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (said.returncode, said.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_notifies_and_has_time_to_drain(unit: str) -> None:
    service = Directives(unit)["Service"]
    assert service["Type"] == "notify"
    assert service["ExecReload"] == '/bin/sh -c "kill -HUP $MAINPID"'  # the shell's own: /bin/kill is a package more
    assert int(service["WatchdogSec"]) == 60
    if unit == "promptsync.service":
        assert int(service["TimeoutStopSec"]) == 30


def test_the_pages_cannot_reach_the_control_socket_and_write_sessions_alone() -> None:
    service = Directives("promptsync-browse.service")["Service"]
    assert service["RestrictAddressFamilies"].split() == ["AF_INET", "AF_INET6"]
    assert service["ReadOnlyPaths"] == str(DATA)
    assert service["User"] == "promptsync-browse" and service["ProtectSystem"] == "strict"
    assert (service["StateDirectory"], service["StateDirectoryMode"]) == ("promptsync-browse", "0700")
    assert not {"ReadWritePaths", "CacheDirectory", "LogsDirectory", "BindPaths"} & set(service)


def test_the_example_configurations_belong_to_the_units(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    daemon, pages = (load_config(SYSTEMD / name) for name in ("promptsync.example.toml", "browse.example.toml"))
    assert daemon.mirror == pages.mirror and daemon.mirror.database.parent == DATA
    assert daemon.drop.folder.parent == Path(daemon.backup.location).parent == DATA
    assert pages.model_fields_set >= {"mirror", "browse"}
    assert re.findall(r"^\[(.*)\]", (SYSTEMD / "browse.example.toml").read_text(), re.MULTILINE) == ["mirror", "browse"]
    (tmp_path / "webhook-secret").write_text("hidden\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert daemon.webhook.secrets[0].reveal() == b"hidden"
    assert Directives("promptsync.service")["Service"]["LoadCredential"].startswith("webhook-secret:")


def test_users_and_folders_are_those_of_the_units(tmp_path: Path) -> None:
    """Applied to an empty root by systemd's own programs."""
    programs = [shutil.which("systemd-sysusers"), shutil.which("systemd-tmpfiles")]
    if None in programs or os.geteuid() != 0:
        if os.environ.get("CI"):
            pytest.fail("needs root, systemd-sysusers and systemd-tmpfiles")
        pytest.skip("needs root, systemd-sysusers and systemd-tmpfiles")
    (tmp_path / "etc").mkdir()
    for program, name, verb in zip(programs, ("sysusers", "tmpfiles"), ([], ["--create"]), strict=True):
        command = [str(program), f"--root={tmp_path}", *verb, SYSTEMD / f"promptsync.{name}.conf"]
        said = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert said.returncode == 0, said.stderr
    users = {line.split(":")[0] for line in (tmp_path / "etc/passwd").read_text().splitlines()}
    assert users >= {Directives(unit)["Service"]["User"] for unit in UNITS}
    assert re.search("^promptsync:x:[0-9]+:promptsync-browse$", (tmp_path / "etc/group").read_text(), re.MULTILINE)
    modes = {name: oct((tmp_path / name).stat().st_mode & 0o777) for name in ("etc/promptsync", str(DATA)[1:])}
    assert set(modes.values()) == {"0o750"}
    users_folder = tmp_path / "etc/promptsync/users"
    assert users_folder.stat().st_mode & 0o777 == 0o750
    assert users_folder.stat().st_gid == (tmp_path / "etc/promptsync").stat().st_gid
