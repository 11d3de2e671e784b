"""From servers into the mirror, by the configuration: S3, SFTP, a list of the web, a pattern; and no secret stays."""

import asyncio
import getpass
import shutil
from pathlib import Path

import obstore
import pytest
from file_server import FileServer, serve
from place_contract import SECRET
from test_place_s3 import S3Stage, stage  # noqa: F401  a fixture

from promptsync.errors import ConfigError
from promptsync.fetch.sources import sources_of
from tests.fetch.fetch_home import Home, rows


async def to_thread(home: Home, most: int = 1) -> list[tuple[object, ...]]:
    """Fetch twice, on a thread; what the ledger then says."""

    def work() -> list[tuple[object, ...]]:
        with home.engine() as engine:
            reports = [home.fetch(engine) for _ in range(2)]
            assert [report.error for report in reports] == [None, None]
            assert [report.loaded for report in reports] == [most, 0]
            return rows(engine, "SELECT place, key, state FROM sync_object ORDER BY key")

    return await asyncio.to_thread(work)


def no_secret_in(folder: Path) -> bool:
    files = [path for path in (folder / "data").rglob("*") if path.is_file()]
    return bool(files) and not any(SECRET.encode() in path.read_bytes() for path in files)


async def test_s3(stage: S3Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setenv("KEY", "key")
    monkeypatch.setenv("SECRET", SECRET)
    keys = f'endpoint = "{stage.endpoint}"\naccess_key = {{ env = "KEY" }}\nsecret_key = {{ env = "SECRET" }}\n'
    home = Home(tmp_path, stage.settings.location, keys)
    for path in home.night(4):
        await obstore.put_async(stage.store, f"1287/{path.name}", path.read_bytes())
    found = await to_thread(home, 2)
    assert [place for place, _, _ in found] == [stage.settings.location] * 2
    assert no_secret_in(tmp_path)


async def test_sftp(ssh: tuple[Path, int], tmp_path: Path) -> None:
    shutil.copy(ssh[0] / "client", tmp_path / "client")
    keys = f'private_key = {{ file = "client" }}\nknown_hosts = "{ssh[0] / "known_hosts"}"\n'
    location = f"sftp://{getpass.getuser()}@127.0.0.1:{ssh[1]}{tmp_path}/place"
    home = Home(tmp_path, location, keys)
    home.night(4)
    found = await to_thread(home, 2)
    assert found[0][0] == f"sftp://127.0.0.1:{ssh[1]}{tmp_path}/place"


async def test_a_page_of_the_web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", SECRET)
    async with serve(FileServer(SECRET)) as server:
        home = Home(tmp_path, f"{server.address}/out/?token={SECRET}", 'password = { env = "SECRET" }\n')
        server.files = {f"1287/{path.name}": path.read_bytes() for path in home.night(4)}
        found = await to_thread(home, 2)
    assert {place for place, _, _ in found} == {f"{server.address}/out/"}
    assert no_secret_in(tmp_path)


async def test_a_pattern(tmp_path: Path) -> None:
    async with serve(FileServer()) as server:
        home = Home(tmp_path, f"{server.address}/out/{{org}}-{{table}}-{{date}}")
        (path, _) = home.night(9)
        server.files = {"1287-contact-2026-02-09": path.read_bytes()}
        await asyncio.to_thread(_learn_the_organization, home)
        found = await to_thread(home)
        assert found == [(home.config.nightly[0].location, "out/1287-contact-2026-02-09", "loaded")]


def _learn_the_organization(home: Home) -> None:
    with home.engine() as engine:
        assert "No organization is known" in str(home.fetch(engine).error)
        engine.mirror.writer.run(lambda connection: connection.execute("INSERT INTO org (id) VALUES (1287)"))


def test_two_sections_of_one_place_are_refused(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.file.write_text(home.file.read_text() + f'[[nightly]]\nlocation = "{home.place}"\n')
    with pytest.raises(ConfigError, match="keep one"):
        sources_of(home.config)
