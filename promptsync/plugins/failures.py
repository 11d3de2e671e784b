"""Why a plugin's function failed, in words that hold nothing of what it was given.

Owns the words. An exception's own text may quote what people wrote, so that only its class and the plugin's line are
said, unless the text can only be about the plugin's own code, or is a sentence that its author meant to be read.
"""

import traceback
from contextlib import suppress
from pathlib import Path

from promptsync.errors import PromptsyncError
from promptsync.plugins.declared import PluginError

_OURS = str(Path(__file__).parent.parent)


def in_words(error: BaseException) -> str:
    """``ValueError in line 37 of shifts.py``; the plugin's own sentence; what is wrong with its code."""
    if isinstance(error, PluginError | PromptsyncError):
        with suppress(Exception):  # the class may be the plugin's own, and say it in its own way
            return str(error)
    if isinstance(error, SyntaxError):
        place = f" in line {error.lineno} of {Path(error.filename).name}" if error.filename and error.lineno else ""
        return f"{type(error).__name__}{place} ({error.msg})"
    said = f"{type(error).__name__}{_place(error)}"
    return f"{said} ({missing})" if (missing := _missing(error)) else said


def _place(error: BaseException) -> str:
    """Where in the plugin, the innermost line of the file that was called first."""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if not one.filename.startswith((_OURS, "<"))]
    if not frames:
        return ""
    line = [frame.lineno for frame in frames if frame.filename == frames[0].filename][-1]
    return f" in line {line} of {Path(frames[0].filename).name}"


def _missing(error: BaseException) -> str:
    """What an import did not find."""
    if not isinstance(error, ImportError) or not error.name:
        return ""
    if isinstance(error, ModuleNotFoundError):
        return f"there is no module {error.name}; install it where promptsync is installed"
    return str(error).partition(" (")[0]  # "cannot import name 'Colum' from 'promptsync'"
