"""Forgetting a person in a lake, from outside: what the command says, and every byte below the lake's root."""

from pathlib import Path
from typing import Any

import pytest

from promptsync.config import load_config
from promptsync.engine.engine import Engine
from promptsync.lake.finding import Named, finder, start_of
from promptsync.lake.opening import open_lake
from promptsync.model import Role
from promptsync.people.find import Person, archive_of, person_of
from promptsync.vendors import declared_schema
from tests.people.people_world import BO, config

from .club import fill_mirror, put_deliveries, put_files
from .home import Home


@pytest.fixture(scope="module")
def club(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill_mirror(tmp_path_factory.mktemp("club"))


@pytest.fixture(scope="module")
def filled(club: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("filled") / "home")
    home.run("init")
    put_files(club, home)
    put_deliveries(home)
    home.run("run")
    return home


def counted(person: Person) -> dict[str, Any]:
    """Their rows by table: the keys, or how many, where those are numbered in each place in its own way."""
    happened = {table.name for table in declared_schema() if table.role is Role.HAPPENED}
    own = "sync_full_list"  # which a lake keeps with its ledger
    return {t: len(rows) if t in happened else set(rows) for t, rows in person.rows.items() if t != own}


def found_in_lake(home: Home, named: Named) -> Person:
    with finder(open_lake(load_config(home.config)).knowing()) as found:
        return found.person(lambda archive: start_of(archive, named), named.candidates)


@pytest.mark.parametrize(
    "named",
    [
        Named(contacts=(str(BO.number),)),
        Named(phones=(BO.phone,)),
        Named(customers=(BO.email,)),
        Named(customers=(BO.cio,)),
    ],
    ids=["contact", "phone", "address", "cio_id"],
)
def test_whoever_is_meant_is_found_as_in_a_mirror(filled: Home, club: Path, named: Named) -> None:
    person = found_in_lake(filled, named)
    with Engine(config(club)) as engine, engine.mirror.reading_apart() as connection:
        archive = archive_of(connection, engine.config, engine.plugins.extensions, engine.plugins.reading)
        expected = person_of(archive, [start_of(archive, named)])
    assert person.identifiers == expected.identifiers and person.records == expected.records
    assert [one.because for one in person.doubts] == [one.because for one in expected.doubts]
    assert counted(person) == counted(expected)
