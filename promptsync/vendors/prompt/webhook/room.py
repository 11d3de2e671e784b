"""How much memory the bodies under way may take together.

Owns the count, in bytes of the bodies being read, checked or stored at one time. What a delivery usually takes is free,
so that no crowd of large ones keeps an ordinary one out. A large one that finds no room is to come again (503). Counted
is what has arrived, not what was announced: whoever announces much and sends little takes nothing from others.
"""

from types import TracebackType
from typing import Final, Self

from promptsync.vendors.prompt.webhook.answers import NO_ROOM, Refused

FREE: Final = 64 << 10
"""Bytes of each body that are not counted."""


class Room:
    """``most``: bytes that all bodies may take together, ``FREE`` of each apart."""

    __slots__ = ("left",)

    def __init__(self, most: int) -> None:
        self.left = most

    def place(self) -> "Place":
        """A place for one body, given back at the end of the block."""
        return Place(self)


class Place:
    """What one body takes."""

    __slots__ = ("_room", "_taken")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._taken = 0

    def hold(self, size: int) -> None:
        """So many bytes of the body have arrived. Raises Refused if there is no room for them."""
        more = size - FREE - self._taken
        if more <= 0:
            return
        if more > self._room.left:
            raise Refused(NO_ROOM)
        self._room.left -= more
        self._taken += more

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._room.left += self._taken
        self._taken = 0
