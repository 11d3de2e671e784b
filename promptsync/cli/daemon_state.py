"""What a running daemon says of itself, asked by commands that look at the mirror from outside.

Owns the asking: ``/-/ready`` on the control socket. Reads no mirror. Where the daemon's sandbox hides who holds a lock,
the command that asks may see it.
"""

import http.client
import json
import shutil
import socket
from pathlib import Path
from typing import Final

from promptsync.daemon.client import daemon_runs, socket_path
from promptsync.status.problems import DaemonState
from promptsync.store.lock_holders import other_writer

_SECONDS: Final = 5.0
_NAMELESS: Final = "locked by another program"


class _Connection(http.client.HTTPConnection):
    """To a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("promptsync", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(str(self._path))


def daemon_state(database: Path) -> DaemonState:
    """What can be seen of the daemon of a mirror, and of the room it has."""
    try:
        free = shutil.disk_usage(database.parent).free
    except OSError:
        free = None
    return DaemonState(daemon_runs(database), tuple(daemon_troubles(database)), free)


def signed_with(database: Path) -> dict[str, tuple[int, float]]:
    """The secrets of the webhook that the daemon accepts, as the configuration names them: how many deliveries each has
    signed since there are several, and when the newest came (seconds since 1970). Empty if no daemon runs."""
    connection = _Connection(socket_path(database))
    try:
        connection.request("GET", "/signed")
        said = json.loads(connection.getresponse().read())
        return {str(name): (int(count), float(at)) for name, (count, at) in said.items()}
    except (OSError, http.client.HTTPException, ValueError, AttributeError):
        return {}
    finally:
        connection.close()


def daemon_troubles(database: Path) -> list[str]:
    """Sentences about a daemon that runs and is not well; none if it is, or if none runs."""
    connection = _Connection(socket_path(database))
    try:
        connection.request("GET", "/-/ready")
        said = json.loads(connection.getresponse().read())
        reasons, notes = [str(one) for one in said["reasons"]], [str(one) for one in said.get("notes", [])]
    except (FileNotFoundError, ConnectionError):
        return []
    except TimeoutError:
        return [f"The daemon has not answered for {_SECONDS:.0f} seconds: 'systemctl restart promptsync' ends it."]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        return [f"The daemon cannot be asked how it is ({type(error).__name__}); restart it."]
    finally:
        connection.close()
    holder = other_writer(database)
    if holder is not None:
        reasons = [reason.replace(_NAMELESS, f"locked by {holder}") for reason in reasons]
    return [*(f"The daemon is not ready: {reason}." for reason in reasons), *notes]
