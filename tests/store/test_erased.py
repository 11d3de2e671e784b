"""The list of erased people: what is recognised, what is kept of them, the key beside the mirror, undoing."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsync.store import erased
from promptsync.store.erased import ADDRESS, ErasedList, Secret
from promptsync.store.forgotten import Forgotten
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema

SECRET = Secret(bytes(range(32)))
ANA = [("contact", "301"), ("phone", "+14155550123"), ("e-mail", "ana@club.example"), ("cio_id", "a3000001f7")]


def _phone(text: str) -> str:
    digits = re.sub(r"\D", "", text)
    return f"+1{digits}" if len(digits) == 10 else f"+{digits}"


def _listed(values: set[tuple[str, str]]) -> Forgotten:
    return Forgotten(ErasedList([(kind, SECRET.hash(kind, value)) for kind, value in values], SECRET))


_PHONES = st.from_regex(r"\+?[0-9]{8,15}", fullmatch=True)
_SPELLED = st.sampled_from(["{}", " {}", "{} ", "({})", "{0:.6}-{0:.6}", "+{}", "tel {}", "{}.", "{}x", "ÄÖ{}"])
_TEXTS = st.one_of(st.text(max_size=12), st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True), st.emails())


@given(
    listed=st.lists(_PHONES, max_size=4),
    cells=st.lists(st.one_of(st.none(), _PHONES, _TEXTS), max_size=30),
    how=_SPELLED,
    start=st.integers(0, 5),
)
def test_numbers_are_found_however_they_are_spelled(
    listed: list[str], cells: list[str | None], how: str, start: int
) -> None:
    forgotten = _listed({("phone", _phone(one)) for one in listed})
    values = [*cells, *(how.format(one) for one in listed), *listed]

    def is_listed(cell: str) -> bool:
        return forgotten.has("phone", _phone(cell)) and not re.search("[^-+0-9(). ]", cell)

    found = forgotten.among(ADDRESS, pa.array(values, pa.string()).slice(start), is_listed).tolist()
    assert found == [n for n, cell in enumerate(values[start:]) if cell is not None and is_listed(cell)]


@given(st.lists(_TEXTS, max_size=4), st.lists(st.one_of(st.none(), _TEXTS), max_size=30), st.booleans())
def test_texts_are_found_in_any_letters_and_between_blanks(
    listed: list[str], cells: list[str | None], mail: bool
) -> None:
    kind = "e-mail" if mail else "cio_id"
    forgotten = _listed({(kind, one.strip().lower()) for one in listed})
    values = [*cells, *(f" {one.upper()} " for one in listed), *listed]

    def is_listed(cell: str) -> bool:
        return forgotten.has(kind, cell.strip().lower())

    found = forgotten.among(kind, pa.array(values, pa.string()), is_listed).tolist()
    assert found == [n for n, cell in enumerate(values) if cell and is_listed(cell)]


_WHOLE = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(_WHOLE, max_size=4), st.lists(st.one_of(st.none(), _WHOLE), max_size=30), st.integers(0, 3))
def test_whole_numbers_are_found(listed: list[int], cells: list[int | None], start: int) -> None:
    forgotten = _listed({("contact", str(one)) for one in listed})
    values = [*cells, *listed][start:]
    cells_ = pa.array([*cells, *listed], pa.int64()).slice(start)
    found = forgotten.among("contact", cells_, lambda cell: forgotten.has("contact", str(cell))).tolist()
    assert found == [n for n, cell in enumerate(values) if cell in listed]


def test_only_the_few_that_the_sieve_lets_pass_are_hashed() -> None:
    forgotten = _listed({("contact", str(n * 7919)) for n in range(1_000)})
    asked: list[int] = []

    def is_listed(cell: int) -> bool:
        asked.append(cell)
        return False

    forgotten.among("contact", pa.array(range(1, 100_000)), is_listed)
    assert asked == [n for n in range(1, 100_000) if n % 7919 == 0]


def test_an_empty_list_looks_at_nothing() -> None:
    assert not ErasedList()
    forgotten = Forgotten(ErasedList())
    assert not forgotten.knows(ADDRESS)
    assert not len(forgotten.among("contact", pa.array([1]), lambda _: True))


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    opened = Mirror(tmp_path / "mirror.db", declared_schema())
    yield opened
    opened.close()


def _remember(mirror: Mirror, erasure_id: int, identifiers: list[tuple[str, str]]) -> None:
    def write(connection: object) -> None:
        secret = erased.key_for(connection, mirror.path)  # type: ignore[arg-type]
        erased.remember(connection, secret, erasure_id, identifiers)  # type: ignore[arg-type]

    mirror.writer.run(write)
    mirror.writer.run(mirror.adopt_forgotten)


def test_the_list_outlives_a_restart_and_holds_no_identifier(mirror: Mirror, tmp_path: Path) -> None:
    _remember(mirror, 1, ANA)
    assert all(mirror.forgotten.has(kind, value) for kind, value in ANA)
    assert not mirror.forgotten.has("contact", "302")
    mirror.close()
    reopened = Mirror(mirror.path, declared_schema())
    assert all(reopened.forgotten.has(kind, value) for kind, value in ANA)
    reopened.close()
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not [value for _, value in ANA if len(value) > 3 and value.encode() in held]
    key = erased.key_path(mirror.path)
    assert key.stat().st_mode & 0o777 == 0o600
    assert bytes.fromhex(key.read_text()) not in mirror.path.read_bytes()
    assert key.read_bytes().strip() not in mirror.path.read_bytes()


@pytest.mark.parametrize("there", ["", "12", "00" * 32, "no digits"])
def test_a_lost_key_is_said_and_never_replaced(mirror: Mirror, there: str) -> None:
    _remember(mirror, 1, ANA)
    key = erased.key_path(mirror.path)
    right = key.read_text()
    if there:
        key.write_text(there)
    else:
        key.unlink()
    with mirror.reading() as connection:
        said = erased.key_problem(connection, mirror.path)
    assert said is not None
    assert str(key) in said
    with pytest.raises(erased.KeyLost, match=r"erased\.key"):
        _remember(mirror, 2, [("contact", "302")])
    mirror.writer.run(mirror.adopt_forgotten)
    assert not mirror.forgotten
    key.write_text(right)
    mirror.writer.run(mirror.adopt_forgotten)
    assert mirror.forgotten.has("contact", "301")


def test_undoing_an_erasure_leaves_the_others(mirror: Mirror) -> None:
    _remember(mirror, 1, ANA)
    _remember(mirror, 2, [("contact", "301"), ("contact", "302")])
    mirror.writer.run(lambda connection: erased.forget_erasure(connection, 1))
    mirror.writer.run(mirror.adopt_forgotten)
    assert mirror.forgotten.has("contact", "301")
    assert not mirror.forgotten.has("phone", "+14155550123")
    mirror.writer.run(lambda connection: erased.forget_erasure(connection, 2))
    mirror.writer.run(mirror.adopt_forgotten)
    assert not mirror.forgotten


def test_the_list_can_be_carried_to_a_copy_with_the_same_key(mirror: Mirror, tmp_path: Path) -> None:
    _remember(mirror, 1, ANA)
    _remember(mirror, 2, [("contact", "302")])
    with mirror.reading() as connection:
        listing = json.loads(json.dumps(erased.listing(connection)))
    key = erased.read_key(mirror.path)
    assert key is not None
    copy = Mirror(tmp_path / "copy.db", declared_schema())
    erased.write_key(copy.path, key.key)
    copy.writer.run(lambda connection: erased.remember(connection, key, 9, [("contact", "303")]))
    copy.writer.run(lambda connection: erased.replace_list(connection, listing, key.key))
    copy.writer.run(copy.adopt_forgotten)
    assert all(copy.forgotten.has(kind, value) for kind, value in [*ANA, ("contact", "302")])
    assert not copy.forgotten.has("contact", "303")
    copy.close()
