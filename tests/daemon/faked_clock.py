"""A process whose wall clock can be set, by the real libfaketime; its monotonic clock stays the machine's."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


class WallClock:
    """``file``: where libfaketime reads, at every look at the clock, how far it is set off."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "offset"
        self.set("+0")

    def set(self, offset: str) -> None:
        """``+3650d``, ``-2h``, ``+0``: from the machine's own clock."""
        draft = self.file.with_suffix(".new")
        draft.write_text(f"{offset}\n")
        draft.replace(self.file)

    @property
    def environment(self) -> dict[str, str]:
        """What a process is started with."""
        faked = {"LD_PRELOAD": _library(), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1"}
        return {**os.environ, **faked, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "TZ": "UTC"}


def _library() -> str:
    """Where ``faketime`` has its library; without it the test is skipped, but fails where everything must be there."""
    program = shutil.which("faketime")
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("faketime is missing; install the package faketime")
    command = [str(program), "-m", "-f", "+0", "printenv", "LD_PRELOAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().split(":")[-1]
