"""Why a message did not arrive, in words, and what to do about it.

Owns which codes mean that a number never works. The words are in the language's file, by code. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from promptsync.browse.cells import clean
from promptsync.browse.words import Words

OPTED_OUT: Final = "21610"
"""The carrier refused because the person has opted out: no fault of the number."""

LASTING: Final = ("30005", "30006", "4432", "21211", "21614", "4720")
"""Codes that will not go away by trying again: the number does not exist, or cannot get texts."""


@dataclass(frozen=True, slots=True)
class Failure:
    """``words``: why; ``todo``: what to do, perhaps blank; ``code``: the carrier's, perhaps blank."""

    words: str
    todo: str
    code: str
    lasting: bool

    def __str__(self) -> str:
        return f"{self.words} ({self.code})" if self.code else self.words


def failure_of(words: Words, message: Mapping[str, Any]) -> Failure | None:
    """Why a message of ours did not arrive; None if it did, if that is not known yet, and of a note."""
    if not message["is_outgoing"] or message["is_successful"] != 0 or message["is_whisper"]:
        return None
    return failure(words, message["error_code"], message["error_message"])


def failure(words: Words, code: str | None, text: str | None) -> Failure:
    """What a code means; of an unknown one the vendor's own text."""
    code = clean(code).strip()[:20]
    if f"failures.{code}.why" in words:
        why, todo = words.say(f"failures.{code}.why"), words.say(f"failures.{code}.todo")
        return Failure(str(why), str(todo), code, code in LASTING)
    told = " ".join(clean(text).split())[:200]
    return Failure(told or str(words.say("failures.unknown")), "", code, code in LASTING)
