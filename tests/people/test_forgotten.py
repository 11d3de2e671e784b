"""Who was erased stays away: replays of everything bring nothing back, a restored mirror is erased again, undoing lets
back in by hand."""

import shutil
from pathlib import Path
from random import Random
from typing import Any

import pytest
from left_out import held
from people_world import AL, AT, BO, CY, config, deliveries, engine, fill

from promptsync.clock import iso_micros, parse_iso
from promptsync.daemon.operations import OPERATIONS
from promptsync.engine.engine import Engine
from promptsync.errors import ConfigError, PromptsyncError
from promptsync.loading.report import LoadRequest
from promptsync.model import Identity
from promptsync.model.file_name import ExportName
from promptsync.model.person import Identifier
from promptsync.people.forgotten import erase_again, remembering, undo
from promptsync.store import erased, erasing

BO_ID = Identifier(Identity.CONTACT, str(BO.number))
WHO = {"starts": [[[Identity.CONTACT.value, str(BO.number)]]], "why": "asked"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    with engine(folder) as mirror:
        fill(mirror, folder, [BO, AL, CY])
    return folder


@pytest.fixture
def copy(filled: Path, tmp_path: Path) -> Path:
    return shutil.copytree(filled, tmp_path / "copy")


def forget(mirror: Engine) -> int:
    done = OPERATIONS["erase"](mirror, WHO, lambda _: None)
    assert done["id"] is not None
    return int(done["id"])


def of_bo(mirror: Engine) -> list[bytes]:
    everything = held(mirror.mirror)
    return [word for word in BO.canaries if word in everything]


def inputs(folder: Path) -> tuple[list[Path], list[dict[str, str]]]:
    """Every file that was loaded, and every delivery as ``events import`` takes it."""
    data = config(folder).mirror.database.parent
    files = [*(folder / "drop" / "done").iterdir(), *(data / "exports").iterdir(), *folder.glob("*.csv")]
    lines = [
        {"received_at": iso_micros(parse_iso(AT) + label * 1_000), "path": path, "body": body}
        for label, path, body in deliveries([BO, AL, CY])
    ]
    return sorted(files), lines


def load(mirror: Engine, path: Path) -> None:
    stated = ExportName(_EXPORTED[path.stem], parse_iso(AT)) if path.stem in _EXPORTED else None
    report = mirror.load_single(LoadRequest(path, "load", stated, accept=True, again=True))
    assert report.state in ("merged", "unchanged"), report


_EXPORTED = {f"job-{name}": name for name in ("qlara_contact", "qlara_delivery_report", "qlara_message")}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_comes_back_in_whichever_order_everything_comes_again(filled: Path, copy: Path, seed: int) -> None:
    files, lines = inputs(filled)
    steps: list[Any] = [*files, *(lines[n::7] for n in range(7)), "replay", "restart", "no index", "replay"]
    Random(seed).shuffle(steps)
    mirror = engine(copy)
    forget(mirror)
    assert of_bo(mirror) == []
    try:
        for step in steps:
            if isinstance(step, Path):
                load(mirror, step)
            elif isinstance(step, list):
                OPERATIONS["import-events"](mirror, {"lines": step}, lambda _: None)
            elif step == "replay":
                OPERATIONS["replay"](mirror, {}, lambda _: None)
            elif step == "restart":
                mirror.close()
                mirror = engine(copy)
            else:
                mirror.mirror.writer.run(lambda c: c.execute("UPDATE sync_snapshot SET blocks = NULL"))
            assert of_bo(mirror) == [], step
        mirror.search.enter_missing("message")
        assert of_bo(mirror) == []
        everything = held(mirror.mirror)
        assert [word for word in (*AL.canaries, *CY.canaries) if word not in everything] == []
        with mirror.mirror.reading() as connection:
            found = erased.suppressed(connection)
        assert found.rows and found.deliveries
    finally:
        mirror.close()


def test_a_mirror_from_before_an_erasure_is_erased_again(filled: Path, copy: Path) -> None:
    """As a restored backup is: with the list that was made since."""
    with engine(copy) as mirror:
        forget(mirror)
        with mirror.mirror.reading() as connection:
            listing = erased.listing(connection)
        secret = erased.read_key(mirror.mirror.path)
    assert secret is not None
    key = secret.key
    restored = shutil.copytree(filled, copy.with_name("restored"))
    with engine(restored) as mirror:
        erased.write_key(mirror.mirror.path, key)
        mirror.mirror.writer.run(lambda connection: erased.replace_list(connection, listing, key))
        mirror.mirror.writer.run(mirror.mirror.adopt_forgotten)
        assert of_bo(mirror)
        done = erase_again(mirror)
        assert done["people"] and done["tables"]["message"]
        assert of_bo(mirror) == []
        assert erase_again(mirror)["people"] == 0
        erased.key_path(mirror.mirror.path).unlink()
        with pytest.raises(erased.KeyLost):
            erase_again(mirror)


def test_undone_by_hand_they_come_in_again(filled: Path, copy: Path) -> None:
    files, _ = inputs(filled)
    nightly = next(path for path in files if path.name.startswith("contact_41"))
    with engine(copy) as mirror:
        number = forget(mirror)
        load(mirror, nightly)
        assert of_bo(mirror) == []
        undone = OPERATIONS["undo-erasure"](mirror, {"id": number}, lambda _: None)
        assert undone["identifiers"] > 0
        assert not mirror.mirror.forgotten
        load(mirror, nightly)
        assert of_bo(mirror) != []
        with mirror.mirror.reading() as connection:
            (row,) = erasing.erasures(connection)
        assert row["undone_at"] is not None
        with pytest.raises(ConfigError, match="erase list"):
            undo(mirror, number + 1)


def test_who_is_erased_twice_stays_away_until_both_are_undone(copy: Path) -> None:
    with engine(copy) as mirror:
        first = forget(mirror)
        mirror.mirror.writer.run(
            lambda connection: remembering(mirror.mirror)(connection, first + 1, frozenset({BO_ID}), frozenset())
        )
        undo(mirror, first)
        assert mirror.mirror.forgotten.has(BO_ID.kind.value, BO_ID.value)


def test_without_the_key_nobody_is_erased_and_nothing_removed(copy: Path) -> None:
    with engine(copy) as mirror:
        mirror.mirror.writer.run(
            lambda connection: remembering(mirror.mirror)(connection, 1, frozenset({BO_ID}), frozenset())
        )
        erased.key_path(mirror.mirror.path).unlink()
        with pytest.raises(PromptsyncError, match=r"erased\.key"):
            forget(mirror)
        assert set(of_bo(mirror)) == set(BO.canaries)
