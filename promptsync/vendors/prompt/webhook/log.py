"""What the listener may say about failures without repeating what was sent.

Owns the logger that aiohttp's protocol writes to, and the place of an error. A message of a foreign exception can quote
a request's header or body, so it is never logged: its type and the line that raised it are.
"""

import logging
from collections import Counter

import structlog
from aiohttp.http import HttpProcessingError

from promptsync.errors import where_raised


def protocol_logger(refused: Counter[str]) -> logging.Logger:
    """A logger for one listener; heads that aiohttp refused are counted in ``refused`` as ``malformed``."""
    logger = logging.Logger("promptsync.listener.protocol", logging.DEBUG)
    logger.addHandler(_ProtocolHandler(refused))
    return logger


class _ProtocolHandler(logging.Handler):
    def __init__(self, refused: Counter[str]) -> None:
        super().__init__()
        self._refused = refused
        self._log = structlog.get_logger("promptsync.listener")

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            self._refused["malformed"] += 1
        elif error is not None:
            self._log.error("connection_failed", error=type(error).__name__, where=where_raised(error))
        elif record.levelno >= logging.ERROR:
            self._log.error("connection_failed", error="", where=f"{record.filename}:{record.lineno}")
