"""Works ahead: a thread makes the next items while the current one is used.

Owns the hand-over: at most a few items wait, an error is raised where its item is awaited, and a caller that stops
early stops the thread.
"""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
_END = object()


def ahead(items: Iterable[T], depth: int = 2, *, worth: bool = True) -> Iterator[T]:
    """The same items, made up to ``depth`` ahead. Raises what making them raises.

    ``worth``: False if there is so little to make that a thread would take longer.
    """
    if not worth:
        yield from items
        return
    made: queue.Queue[object] = queue.Queue(depth)
    stopped = threading.Event()

    def make() -> None:
        try:
            for item in items:
                made.put(item)
                if stopped.is_set():
                    return
            made.put(_END)
        except BaseException as error:  # noqa: BLE001  raised again where the items are used
            made.put(_Raised(error))

    thread = threading.Thread(target=make, name="ahead", daemon=True)
    thread.start()
    try:
        while (item := made.get()) is not _END:
            if isinstance(item, _Raised):
                try:
                    raise item.error
                finally:
                    del item  # or this frame and the error would keep one another, and all that it was raised amid
            yield item  # type: ignore[misc]
    finally:
        stopped.set()
        while thread.is_alive():
            try:
                made.get(timeout=0.01)
            except queue.Empty:
                continue
        thread.join()


class _Raised:
    def __init__(self, error: BaseException) -> None:
        self.error = error
