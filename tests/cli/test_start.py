"""What a command imports before it does anything: its start waits for each of these."""

import subprocess
import sys

import pytest

HEAVY = {
    "--version": (
        "adbc_driver_manager",
        "aiohttp",
        "apscheduler",
        "asyncssh",
        "datasette",
        "numpy",
        "pyarrow",
        "pydantic",
    ),
    "--help": (
        "adbc_driver_manager",
        "aiohttp",
        "asyncssh",
        "datasette",
        "numpy",
        "obstore",
        "pyarrow",
        "sqlite_utils",
    ),
    "status --help": ("adbc_driver_manager", "asyncssh", "datasette", "obstore", "pyarrow", "sqlite_utils"),
    "run --help": ("asyncssh", "datasette", "rich.progress", "sqlite_utils"),
}


@pytest.mark.parametrize("command", HEAVY)
def test_a_command_imports_what_it_uses(command: str) -> None:
    script = f"""
import sys
from promptsync.cli import main
try:
    main({command.split()!r})
except SystemExit:
    print(*sorted(sys.modules), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert not set(HEAVY[command]) & set(done.stderr.split())
