"""Real servers on loopback ports, for the tests of places: started once, with folders of their own."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def needed(program: str, package: str) -> str:
    """The path of a program; the test is skipped without it, but fails where everything must be there."""
    found = shutil.which(program, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin")
    if found is None:
        message = f"{program} is missing; install {package}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    return str(found)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[None]:
    """A server process, from when its port answers until the end of the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        for _ in range(400):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, log.read_text(errors="replace")
            time.sleep(0.05)
        else:
            raise AssertionError(log.read_text(errors="replace"))
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """An S3 server's address."""
    port = free_port()
    command = [needed("moto_server", "moto[server]"), "-H", "127.0.0.1", "-p", str(port)]
    with running(command, port, folder / "s3.log"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def azure_server(folder: Path) -> Iterator[str]:
    """The address of an Azure emulator (Azurite, from npm)."""
    found = needed("azurite-blob", "azurite from npm")
    port = free_port()
    where = ["--location", str(folder), "--blobHost", "127.0.0.1", "--blobPort", str(port)]
    with running([found, *where, "--silent", "--skipApiVersionCheck"], port, folder / "azure.log"):
        yield f"http://127.0.0.1:{port}/devstoreaccount1"


_WITHOUT_ROOTS_RIGHTS = "/usr/bin/setpriv --bounding-set=-dac_override,-dac_read_search "
"""So that permissions hold for it even where the tests are run by root."""


def _sftp_server() -> str:
    where = ("/usr/lib/openssh", "/usr/libexec/openssh", "/usr/lib/ssh", "/usr/libexec")
    found = shutil.which("sftp-server", path=":".join(where))
    return found or needed("sftp-server", "openssh-sftp-server")


@contextmanager
def ssh_server(folder: Path) -> Iterator[int]:
    """The port of an sshd with a host key and an authorized key of its own: ``host``, ``client`` in the folder."""
    sshd, keygen = needed("sshd", "openssh-server"), needed("ssh-keygen", "openssh-client")
    port = free_port()
    for name in ("host", "client", "other"):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    (folder / "authorized").write_bytes((folder / "client.pub").read_bytes())
    kind, key, *_ = (folder / "host.pub").read_text().split()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    kind, key, *_ = (folder / "other.pub").read_text().split()
    (folder / "known_others").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    settings = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "authorized",
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "Subsystem": f"sftp {_WITHOUT_ROOTS_RIGHTS if os.geteuid() == 0 else ''}{_sftp_server()}",
    }
    (folder / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with running([sshd, "-D", "-e", "-f", str(folder / "sshd_config")], port, folder / "sshd.log"):
        yield port
