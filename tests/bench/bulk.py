"""Message exports of any size for benchmarks: the same columns as a night's file, written without a world behind it.

Owns speed and the exact way one night differs from the next. A row is a function of seed, edition and its number, so
that files of any length agree; memory is one slab of rows.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from promptsync.clock import MICROS, iso_millis
from promptsync.demo.prompt.snapshot import COLUMNS, write_packed
from promptsync.demo.world import words
from promptsync.demo.world.words import full_name, phone_number, places
from promptsync.errors import Unavailable

SLAB = 50_000
_BEGIN = 1_700_000_000
_PEOPLE = 20_000
_TALK = 5_000
_CHANGED = 0.005
_CHANGED_NEWEST = 0.8  # of the changed rows among the newest 5 %


def write_message_file(path: Path, rows: int, seed: int = 0, edition: int = 0) -> int:
    """Writes a gzipped message export and returns its number of rows.

    Edition 0 has ``rows`` rows. Each later edition is the next night's: 0.5 % new rows, and 0.5 % of ``rows`` changed
    (four fifths of them among the newest 5 %) beside those of the editions before. Raises ``Unavailable``.
    """
    total = rows + edition * (rows // 200)
    touched = _touched(rows, seed, edition)
    try:
        with path.open("wb") as raw:
            write_packed(raw, chain([COLUMNS["message"].replace(" ", ",") + "\n"], _slabs(total, seed, touched)))
    except OSError as error:
        raise Unavailable(f"Make it possible to write {path}: {error.strerror or error}.") from error
    return total


def _touched(rows: int, seed: int, edition: int) -> set[int]:
    """Numbers of the rows that are not what they were in edition 0."""
    touched: set[int] = set()
    for night in range(1, edition + 1):
        rng = np.random.default_rng([seed, night])
        count = int(rows * _CHANGED)
        newest = int(count * _CHANGED_NEWEST)
        recent = max(rows // 20, 1)
        picks = np.concatenate(
            [rows - recent + rng.integers(0, recent, newest), rng.integers(0, max(rows - recent, 1), count - newest)]
        )
        touched.update(picks.tolist())
    return touched


def _slabs(total: int, seed: int, touched: set[int]) -> Iterator[str]:
    people, talk = _people(seed), _talk(seed)
    for begin in range(0, total, SLAB):
        rng = np.random.default_rng([seed, 1 << 20, begin // SLAB])
        draws = rng.integers(0, 1 << 30, (SLAB, 4), dtype=np.int64)
        yield "".join(_rows(begin, min(SLAB, total - begin), draws, (people, talk, touched)))


def _rows(
    begin: int, count: int, draws: NDArray[np.int64], given: tuple[list[str], list[tuple[str, str]], set[int]]
) -> Iterator[str]:
    people, talk, touched = given
    second = ""
    last = -1
    columns = (draws[:count, 0] % _PEOPLE).tolist(), (draws[:count, 1] % _TALK).tolist(), draws[:count, 2].tolist()
    for number, person, said, chance in zip(range(begin, begin + count), *columns, strict=True):
        at, milli = _BEGIN + number // 3, number % 3 * 333 + chance % 333
        if at != last:
            last, second = at, iso_millis(at * MICROS)[:-4]
        content, length = talk[said]
        inbound = chance % 3 == 0
        sent = "" if inbound else f"{second}{milli:03d}Z"
        failed = not inbound and ((chance >> 8) % 50 == 0) is not (number in touched)
        fate = "false,true,30008,Unknown error from the carrier" if failed else "true,true,,"
        reply = inbound and number in touched  # a reply that was put down to a broadcast meanwhile
        yield (
            f"{19_154 + number},{second}{milli:03d}Z,{sent},{content},false,{'false' if inbound else 'true'},"
            f"{'false' if inbound else 'true'},{fate},false,{length},{people[person]},"
            f"{150 + number // 5000 if not inbound or reply else ''},{'' if inbound else 2 + chance % 6}\n"
        )


def _people(seed: int) -> list[str]:
    """``contact_phone,contact_id,org_phone`` of many contacts."""
    areas, rng = places(), Random(f"people {seed}")
    own = phone_number(areas[6], 0)
    return [f"{phone_number(rng.choice(areas), 10 + n % 9_000)},{1_001 + n},{own}" for n in range(_PEOPLE)]


def _talk(seed: int) -> list[tuple[str, str]]:
    """Quoted message texts and their number of segments, as wide as real ones."""
    rng = Random(f"talk {seed}")
    texts = (*(text for _, text in words.BROADCASTS), *words.ANSWERS, *words.OPENERS, *words.REPLIES)
    said = [words.fill(" ".join(rng.sample(texts, rng.choice((1, 2, 2, 3)))), full_name(rng)) for _ in range(_TALK)]
    return [('"' + text.replace('"', '""') + '"', str(words.segments(text, False))) for text in said]
