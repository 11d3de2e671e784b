"""What a folder can hold that is no file to load, and the words for it.

Owns the judgement of a single entry by its name and its mode, and how a name is shown. Pure: looks at nothing itself.
"""

import stat
import unicodedata
from typing import Final

_FILE_ENDINGS: Final = (".csv", ".gz", ".parquet")
_KINDS: Final = {
    stat.S_IFLNK: "It is a symbolic link; links are not followed. Put the file itself here.",
    stat.S_IFIFO: "It is a pipe, not a file.",
    stat.S_IFSOCK: "It is a socket, not a file.",
    stat.S_IFBLK: "It is a device, not a file.",
    stat.S_IFCHR: "It is a device, not a file.",
}


def odd_kind(mode: int) -> str | None:
    """Why an entry of this mode is neither file nor folder; None: it is one of them."""
    kind = stat.S_IFMT(mode)
    return None if kind in (stat.S_IFREG, stat.S_IFDIR) else _KINDS.get(kind, "It is not a file.")


def odd_name(name: str) -> str | None:
    """Why the name of a file says nothing that could be written down: not UTF-8, or with control characters."""
    if any(_is_control(sign) for sign in name):
        return not_utf8(name) or "Its name has control characters. Rename it."
    return None


def not_utf8(name: str) -> str | None:
    """Why a name or a path cannot be written down at all."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "Its name is not UTF-8. Rename it."
    return None


def odd_folder(name: str) -> str | None:
    """Why a folder of this name is not looked into: most likely it was meant to be a file."""
    if name.lower().endswith(_FILE_ENDINGS):
        return "It is a folder named like a file; what is in it is not read. Rename it."
    return None


def printable(name: str) -> str:
    """``name`` for logs and people: bytes that are not UTF-8 and control characters escaped."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(sign.encode("unicode_escape").decode() if _is_control(sign) else sign for sign in text)


def _is_control(sign: str) -> bool:
    return unicodedata.category(sign)[0] == "C"
