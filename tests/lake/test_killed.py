"""A run that is killed, by SIGKILL as a machine that fails would: the next one makes what one run would have made."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from promptsync.demo.cluster import Cluster

from .home import Home
from .test_spark import contents, fill

_DIES = """
import os, signal, sys
from promptsync.cli import main
from promptsync.lake import {module}

original, calls = {module}.{name}, []

def dies(*args, **options):
    calls.append(1)
    if len(calls) == {call}:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*args, **options)

{module}.{name} = dies
main(sys.argv[1:])
"""
MOMENTS = {
    "decoded": ("folding", "Folding.commit", 1),
    "amid the tables": ("tables", "Tables.commit", 2),
    "before the ledger": ("run", "_Run._record", 1),
}


def killed(home: Home, moment: str, environment: dict[str, str]) -> None:
    module, name, call = MOMENTS[moment]
    script = _DIES.format(module=module, name=name, call=call)
    command = [sys.executable, "-c", script, "--config", home.config, "lake", "run"]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, check=False, timeout=600)
    assert done.returncode == -9, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_the_next_run_makes_what_one_would_have_made(moment: str, tmp_path: Path) -> None:
    one, other = Home(tmp_path / "one"), Home(tmp_path / "other")
    for home in (one, other):
        home.run("init")
    fill(one, other)
    killed(other, moment, {"TMPDIR": str(tmp_path)})
    for home in (one, other):
        assert home.run("run").exit_code == 1
    assert contents(one) == contents(other)


@pytest.mark.skipif("SPARK_BY_HAND" not in os.environ, reason="takes minutes; set SPARK_BY_HAND")
def test_so_does_the_next_run_on_spark(tmp_path: Path) -> None:
    """What the workers had put into the lake is swept after a day."""
    one = Home(tmp_path / "one")
    one.run("init")
    fill(one)
    assert one.run("run").exit_code == 1
    with Cluster(tmp_path / "cluster") as cluster, pytest.MonkeyPatch.context() as patched:
        for name, value in cluster.environment.items():
            patched.setenv(name, value)
        for moment in MOMENTS:
            home = Home(tmp_path / moment.replace(" ", ""), f'engine = "spark"\nmaster = "{cluster.master}"\n')
            home.run("init")
            fill(home)
            killed(home, moment, {"TMPDIR": str(tmp_path)})
            left = list((home.folder / "lake" / "parts").rglob("*.parquet"))
            for path in left:
                os.utime(path, (0, 0))
            assert left and home.run("run").exit_code == 1
            assert contents(home) == contents(one), moment
            assert not (home.folder / "lake" / "parts").exists()
