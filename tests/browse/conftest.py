"""Datasette over the sample mirror, with a login and without."""

import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from account import NOW, Account, Lived, LocalKit, load, opened
from browse_sample import PASSWORD, make_mirror
from datasette_auth_passwords.utils import hash_password
from vendor_rows import Everywhere, fill

from promptsync.browse.serve import MirrorDatasette, build_datasette, close
from promptsync.browse.settings import BrowseSettings
from promptsync.model import Schema
from promptsync.vendors import declared_schema


@pytest.fixture(scope="session")
def schema() -> Schema:
    return declared_schema()


@pytest.fixture(scope="session")
def mirror(schema: Schema) -> Iterator[Path]:
    """A mirror that its daemon has open, in a folder that another user may be let into."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any name.db"
        daemon = make_mirror(path, schema)
        yield path
        daemon.close()


@pytest.fixture(scope="session")
def settings(mirror: Path, schema: Schema) -> BrowseSettings:
    users = {name: hash_password(PASSWORD, iterations=10) for name in ("ana", "sam")}
    zone = ZoneInfo("America/Los_Angeles")
    return BrowseSettings(mirror, schema, zone, users=users, admins=frozenset({"ana"}))


@pytest.fixture(scope="session")
def site(settings: BrowseSettings) -> Iterator[MirrorDatasette]:
    """Datasette with two users: ana administers, sam reads."""
    datasette = build_datasette(settings)
    yield datasette
    close(datasette)


@pytest.fixture(scope="session")
def open_site(settings: BrowseSettings) -> Iterator[MirrorDatasette]:
    """Datasette without a login, on a loopback host."""
    datasette = build_datasette(replace(settings, anonymous=True, users={}, admins=frozenset()))
    yield datasette
    close(datasette)


def _lived(folder: Path, settings: BrowseSettings, *accounts: Account) -> Iterator[Lived]:
    for kit in opened(folder, *accounts):
        own = replace(settings, database=kit.config.mirror.database)
        site = build_datasette(own, present=lambda: NOW)
        yield Lived(kit, accounts, site)
        close(site)


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory, settings: BrowseSettings) -> Iterator[Lived]:
    """One organisation's account."""
    yield from _lived(tmp_path_factory.mktemp("lived"), settings, Account(7, seed=1, first=0))


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory, settings: BrowseSettings) -> Iterator[Lived]:
    """Two organisations in one mirror."""
    accounts = Account(7, seed=1, first=0), Account(8, seed=2, first=100_000)
    yield from _lived(tmp_path_factory.mktemp("both"), settings, *accounts)


@pytest.fixture(scope="session")
def nothing_yet(empty: Path, settings: BrowseSettings) -> Iterator[MirrorDatasette]:
    """A site over a mirror that nothing has arrived in."""
    site = build_datasette(replace(settings, database=empty), present=lambda: NOW)
    yield site
    close(site)


@pytest.fixture(scope="session")
def everywhere(tmp_path_factory: pytest.TempPathFactory, settings: BrowseSettings) -> Iterator[Lived]:
    """One organisation's account, and what Customer.io and Qlara know of its people."""
    account, kit = Everywhere(7, seed=12, first=0), LocalKit(tmp_path_factory.mktemp("everywhere"))
    people = account.tables["contact"]
    for row in account.tables["message"]:
        row["org_phone"] = "+14155550100"
    people[2]["phone"] = people[1]["phone"]
    account.add("contact_data", managed=0, contact_id=people[3]["id"], key="email", value="Ana@example.org")
    load(kit, account)
    with sqlite3.connect(kit.config.mirror.database) as connection:
        fill(connection, account)
    connection.close()
    site = build_datasette(replace(settings, database=kit.config.mirror.database), present=lambda: NOW)
    yield Lived(kit, (account,), site)
    close(site)
    kit.restart()
