"""Logs: structured, one line per file, job and problem, to standard error.

Owns the configuration of structlog, the way of the libraries' own logs and warnings into it, and what becomes of errors
that nobody handles; nothing that is logged. A line that cannot be written is dropped and counted: logging never fails,
and never ends what it is called from. Never a body, a phone number, a secret or a signed address: callers log
names, counts and classes; of libraries only the template of a message, of their errors only the type and the place.
What still looks like a phone number or an address with a password or a query is masked.
"""

import asyncio
import json
import logging
import os
import re
import select
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TextIO

import structlog

from promptsync.errors import where_raised

_NAMES: Final = {"error": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}
_PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_REPEAT_SECONDS: Final = 60.0
_MOST_REPEATS: Final = 200
LEVELS: Final = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO, 2: logging.DEBUG}
_MASKS: Final = (
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/@?#]+@", re.IGNORECASE), r"\1***@"),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s?#\"']*)[?#][^\s\"']+", re.IGNORECASE), r"\1?***"),
    (re.compile(r"\+\d{7,15}(?!\d)"), "+***"),
    (re.compile(r"(?<![\d.])1?[2-9]\d{9}(?![\d.]\d|\d)"), "***"),
)
_WARNING: Final = logging.WARNING
_MOST: Final = 200  # characters of a library's message


def set_up_service_logs(verbosity: int, form: str, level: str) -> None:
    """Logs of a process that a journal keeps. ``form``: auto, text or json; ``level``: error, warning, info or debug,
    of which ``verbosity`` may make more, and --quiet less."""
    said = -1 if verbosity < 0 else max(verbosity, list(LEVELS.values()).index(_NAMES[level]) - 1)
    journal = to_journal(sys.stderr, os.environ)
    plain = None if form == "auto" and not journal else form == "json"
    set_up_logs(said, plain=plain, waits=False, journal=journal)


def to_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether a stream leads to systemd's journal (systemd.exec(5), JOURNAL_STREAM: device and inode)."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def set_up_logs(verbosity: int, *, plain: bool | None = None, waits: bool = True, journal: bool = False) -> None:
    """``verbosity``: -1 quiet, 0 warnings, 1 what is done, 2 everything, with tracebacks. ``plain``: JSON lines; None:
    unless at a terminal. ``waits``: for a reader of the lines that is slow; otherwise they are dropped meanwhile.
    ``journal``: each line begins with its priority (sd-daemon(3)), and a text has no time, which the journal knows.
    For a process that is promptsync's own: the libraries' logs are taken over too."""
    verbosity = max(-1, min(verbosity, 2))
    as_json = not sys.stderr.isatty() if plain is None else plain
    timed: list[structlog.types.Processor] = [structlog.processors.TimeStamper(fmt="iso", utc=True)]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            _masked,
            Repeats(),
            *(timed if as_json or not journal else []),
            _rendered(as_json=as_json, journal=journal),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[verbosity]),
        logger_factory=_StandardError(waits),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, LibraryHandler)]
    root.addHandler(LibraryHandler(tracebacks=verbosity >= 2))
    root.setLevel((logging.ERROR, _WARNING, _WARNING, logging.INFO)[verbosity + 1])
    logging.getLogger("aiohttp.access").setLevel(logging.ERROR)  # it would name what was asked for


def _rendered(*, as_json: bool, journal: bool) -> structlog.types.Processor:
    render: structlog.types.Processor = structlog.processors.JSONRenderer()
    if not as_json:
        colors = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        render = _in_a_line if journal else structlog.dev.ConsoleRenderer(colors=colors)
    if not journal:
        return render

    def with_priority(logger: object, method: str, line: structlog.types.EventDict) -> str:
        priority = _PRIORITIES.get(str(line["level"]), 6)
        if not as_json:
            del line["level"]  # the journal has it
        return f"<{priority}>{render(logger, method, line)!s}"

    return with_priority


def _in_a_line(_logger: object, _method: str, line: structlog.types.EventDict) -> str:
    """The event, then what belongs to it, as ``name=value``."""
    given = {name: str(value) for name, value in line.items() if name != "event"}
    return " ".join([str(line["event"]), *(f"{name}={_plain(value)}" for name, value in given.items())])


def _plain(value: str) -> str:
    return value if value.isprintable() and value and " " not in value else json.dumps(value, ensure_ascii=False)


class Repeats:
    """Passes over a warning or error that says the same as one in the minute before; the next one that is said has how
    often that was, as ``repeated``."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[str, tuple[float, int]] = {}

    def __call__(self, _logger: object, method: str, line: structlog.types.EventDict) -> structlog.types.EventDict:
        if method not in ("warning", "error"):
            return line
        key, now = repr(sorted(line.items(), key=str)), self._clock()
        said_at, count = self._said.pop(key, (now - _REPEAT_SECONDS, 0))
        again = now - said_at < _REPEAT_SECONDS
        self._said[key] = (said_at, count + 1) if again else (now, 0)
        if len(self._said) > _MOST_REPEATS:
            del self._said[next(iter(self._said))]
        if again:
            raise structlog.DropEvent
        return {**line, "repeated": count} if count else line


def log_unhandled(loop: asyncio.AbstractEventLoop, tracebacks: bool = False) -> None:
    """Have unhandled errors of a loop logged by type and place."""

    def on_loop(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")  # if there is one, the message may quote what a callback was called with
        report(error, "on the event loop" if error is not None else str(context.get("message", "")), tracebacks)

    loop.set_exception_handler(on_loop)


def take_over_process(tracebacks: bool = False) -> None:
    """The same for threads; and of warnings the kind and the place. For a process that does nothing else."""

    def on_thread(args: threading.ExceptHookArgs) -> None:
        if not isinstance(args.exc_value, SystemExit):
            report(args.exc_value, "a thread ended", tracebacks)

    threading.excepthook = on_thread
    warnings.showwarning = _show_warning


def report(error: BaseException | None, about: str, tracebacks: bool) -> None:
    """Log an unforeseen error: one line with its type and place. ``tracebacks``: and how it came about."""
    if not isinstance(error, asyncio.CancelledError):
        structlog.get_logger("promptsync").error("unhandled", about=about[:_MOST], **_described(error, tracebacks))


class LibraryHandler(logging.Handler):
    """Takes over what libraries log. A cancellation is no news: it is how work ends when the daemon stops."""

    def __init__(self, tracebacks: bool) -> None:
        super().__init__()
        self._tracebacks = tracebacks

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._take(record)
        except Exception:  # noqa: BLE001  as logging.Handler.handleError, which would write to the same place
            return

    def _take(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, asyncio.CancelledError):
            return
        about = str(record.msg).partition("\n")[0][:_MOST]
        log = structlog.get_logger("promptsync")
        say = log.error if record.levelno >= logging.ERROR else log.warning if record.levelno >= _WARNING else log.info
        say("library", library=record.name, about=about, **_described(error, self._tracebacks))


def _described(error: BaseException | None, tracebacks: bool) -> dict[str, str]:
    if error is None:
        return {}
    found = {"error": type(error).__name__, "where": where_raised(error)}
    return found | {"traceback": "".join(traceback.format_exception(error))} if tracebacks else found


def _show_warning(
    message: Warning | str,  # may quote anything
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    where = f"{Path(filename).name}:{lineno}"
    structlog.get_logger("promptsync").warning("warning", kind=category.__name__, where=where)


def masked(text: str) -> str:
    """Text without what looks like a phone number, or a password or query of an address.

    >>> masked("sftp://me:secret@host/x failed"), masked("GET https://host/a?sig=1"), masked("to +15551234567")
    ('sftp://***@host/x failed', 'GET https://host/a?***', 'to +***')
    """
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text


def _masked(_logger: object, _method: str, line: structlog.types.EventDict) -> structlog.types.EventDict:
    return {key: masked(value) if isinstance(value, str) else value for key, value in line.items()}


def dropped_lines() -> int:
    """How many lines could not be written since the logs were set up."""
    return int(getattr(structlog.get_config()["logger_factory"], "dropped", 0))


class _StandardError:
    """Makes itself the logger. Writes lines to what standard error is at that moment, past its buffer: what a full
    disk refuses must not be tried again with every later line, and at the end of the process."""

    def __init__(self, waits: bool) -> None:
        self.dropped = 0
        self._waits = waits
        self._cut = False  # whether the last line was written in part
        self._one_at_a_time = threading.RLock()

    def __call__(self, *_: object) -> "_StandardError":
        return self

    def msg(self, line: str) -> None:
        with self._one_at_a_time:
            try:
                self._write(line + "\n")
            except Exception:  # noqa: BLE001  any failure: disk full, reader gone, closed, none
                self.dropped += 1

    log = debug = info = warning = error = critical = fatal = exception = msg

    def _write(self, text: str) -> None:
        try:
            target = sys.stderr.fileno()
        except (OSError, ValueError):  # no file
            sys.stderr.write(text)
            sys.stderr.flush()
            return
        left = ("\n" * self._cut + text).encode("utf-8", "backslashreplace")
        while left:
            if not self._waits and not _takes(target):
                raise BlockingIOError
            left = left[os.write(target, left if self._waits else left[: select.PIPE_BUF]) :]
            self._cut = bool(left)


def _takes(file: int) -> bool:
    """Whether a file takes ``PIPE_BUF`` bytes at once."""
    poll = select.poll()
    poll.register(file, select.POLLOUT)
    return bool(poll.poll(0))
