"""What a command imports before it does anything: its start waits for each of these."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from promptsync.cli import main

LAKE = {"deltalake", "duckdb", "promptsync.lake"}
SLOW = {"adbc_driver_manager", "aiohttp", "asyncssh", "datasette", "numpy", "obstore", "pyarrow", "sqlite_utils"} | LAKE
LOOKING = SLOW | {"phonenumbers", "promptsync.engine.engine", "rich.console", "structlog", "uvloop", "watchfiles"}
AT_ONCE = LOOKING | {"apscheduler", "asyncio", "promptsync.config", "promptsync.store.mirror", "pydantic", "ssl"}
COMMANDS = {
    "--version": (AT_ONCE, 300, 40),
    "--help": (AT_ONCE, 300, 40),
    "status": (LOOKING, 500, 60),
    "run --help": ((SLOW - {"aiohttp"}) | {"phonenumbers", "pyrage", "rich.progress"}, 950, 85),
}
"""To what must not be imported, how many modules may be, and the MiB that it may take."""
SCRIPT = """
import json, sys
from pathlib import Path
from promptsync.cli import main
try:
    main()
finally:
    used = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps([sorted(sys.modules), used]), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of everything that many have, and a mirror."""
    folder = tmp_path_factory.mktemp("account")
    (folder / "webhook.secret").write_text("a secret")
    config = folder / "promptsync.toml"
    config.write_text(
        '[webhook]\nsecrets = [{ file = "webhook.secret" }]\n[[nightly]]\nlocation = "https://example.org/exports/"\n'
        'schedule = "30 2 * * *"\n[[customerio]]\nlocation = "s3://bucket/path"\n'
        '[backup]\nlocation = "backups"\n[qlara]\nmessages = "30 3 * * *"\napi_key = { env = "QLARA_KEY" }\n'
    )
    (folder / "drop").mkdir()
    result = CliRunner().invoke(main, ["--config", str(config), "load", str(folder / "drop")])
    assert (folder / "data" / "mirror.db").exists(), result.output
    return config


def started(config: Path, *arguments: str, **environment: str) -> tuple[set[str], float]:
    """The modules that a command has imported when it ends, and the most memory it had, in MiB."""
    command = [sys.executable, "-c", SCRIPT, "--config", str(config), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={"PATH": "", **environment})
    modules, used = json.loads(done.stderr.splitlines()[-1])
    assert "promptsync.cli.app" in modules
    return set(modules), used


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_imports_what_it_uses(mirror: Path, command: str) -> None:
    never, most_modules, most_memory = COMMANDS[command]
    modules, used = started(mirror, *command.split())
    assert not never & modules
    assert len(modules) <= most_modules
    assert used < most_memory


def test_completion_imports_no_command(mirror: Path) -> None:
    asked = {"_PROMPTSYNC_COMPLETE": "zsh_complete", "COMP_WORDS": "promptsync st", "COMP_CWORD": "1"}
    script = SCRIPT.replace("main()", "main(prog_name='promptsync')")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, env=asked)
    assert done.stdout.splitlines()[:3] == [
        "plain",
        "status",
        "Is the mirror up to date? Exit 1 if something needs a person.",
    ]
    modules, _ = json.loads(done.stderr.splitlines()[-1])
    assert not AT_ONCE & set(modules)
    assert "promptsync.cli.status" not in modules
