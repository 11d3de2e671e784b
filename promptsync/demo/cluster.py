"""A Spark cluster on this machine: a master and workers, each a process of its own, as on several.

Owns starting and ending them. It is small and begins fast: for what is shown and tested, not for figures.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from promptsync.errors import ConfigError, Unavailable

_HOST: Final = "127.0.0.1"
_START_SECONDS: Final = 120.0
_JAVA: Final = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
_DEFAULTS: Final = f"""\
spark.ui.enabled false
spark.driver.host {_HOST}
spark.driver.bindAddress {_HOST}
spark.driver.memory 1g
spark.driver.extraJavaOptions {_JAVA}
spark.executor.memory 1g
spark.executor.cores 1
spark.executor.extraJavaOptions {_JAVA}
spark.sql.adaptive.enabled false
spark.sql.shuffle.partitions 4
"""


class Cluster:
    """A master and some workers with one processor each. ``folder``: for their logs and what they keep; ``settings``:
    of Spark, beside the usual. Use as a context manager."""

    def __init__(self, folder: Path, workers: int = 2, settings: Mapping[str, str] | None = None) -> None:
        self._folder, self._count, self._processes = folder, workers, list[subprocess.Popen[bytes]]()
        folder.mkdir(parents=True, exist_ok=True)
        lines = "".join(f"{name} {value}\n" for name, value in (settings or {}).items())
        (folder / "spark-defaults.conf").write_text(_DEFAULTS + lines)
        self.master = f"spark://{_HOST}:{_free_port()}"
        self.environment = {
            "SPARK_CONF_DIR": str(folder),
            "SPARK_LOCAL_IP": _HOST,
            "SPARK_LOCAL_DIRS": str(folder / "local"),
            "SPARK_LAUNCHER_OPTS": _JAVA,
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_DAEMON_JAVA_OPTS": _JAVA,
            "PYSPARK_PYTHON": sys.executable,
        }

    def __enter__(self) -> Self:
        with ExitStack() as failing:
            failing.callback(self._end)
            port = int(self.master.rpartition(":")[2])
            self._start("Master", "--host", _HOST, "--port", str(port), "--webui-port", "0")
            self._await(port)
            for _ in range(self._count):
                self._start("Worker", "-c", "1", "-m", "2g", "-d", str(self._folder / "work"), self.master)
            failing.pop_all()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._end()

    def _end(self) -> None:
        for process in self._processes[::-1]:  # a worker ends its executors
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
        for process in self._processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def executors(self) -> list[int]:
        """The processes that do the work at present, one for each worker while somebody has asked for it."""
        workers = [process.pid for process in self._processes[1:]]
        lists = (path.read_text() for pid in workers for path in Path(f"/proc/{pid}/task").glob("*/children"))
        return [int(pid) for some in lists for pid in some.split()]

    def _start(self, what: str, *args: str) -> None:
        spark = find_spec("pyspark")
        if spark is None or not spark.submodule_search_locations:
            raise ConfigError("pyspark is not installed.")
        home = Path(spark.submodule_search_locations[0])
        command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{what.lower()}.{what}", *args]
        environment = {**os.environ, **self.environment, "SPARK_HOME": str(home)}
        with (self._folder / f"{what.lower()}-{len(self._processes)}.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603  Spark's own program
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._processes.append(process)

    def _await(self, port: int) -> None:
        last = time.monotonic() + _START_SECONDS
        while time.monotonic() < last and self._processes[0].poll() is None:
            with socket.socket() as tried:
                if tried.connect_ex((_HOST, port)) == 0:
                    return
            time.sleep(0.1)
        raise Unavailable(f"Spark's master did not start; {self._folder} has its log. It needs Java 17 or newer.")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((_HOST, 0))
        return int(one.getsockname()[1])
