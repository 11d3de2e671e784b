"""Logs: structured, one line per file, job and problem, to standard error.

Owns the configuration of structlog and nothing that is logged. Never a body, a phone number, a secret or a signed
address: callers log names, counts and classes.
"""

import logging
import sys

import structlog

LEVELS = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO, 2: logging.DEBUG}


def set_up_logs(verbosity: int, *, plain: bool | None = None) -> None:
    """``verbosity``: -1 quiet, 0 warnings, 1 what is done, 2 everything. ``plain``: JSON lines, as when not a terminal."""
    as_json = not sys.stderr.isatty() if plain is None else plain
    last: structlog.types.Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=True)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[max(-1, min(verbosity, 2))]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
