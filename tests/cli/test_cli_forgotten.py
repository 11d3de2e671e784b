"""Somebody was erased: what commands say of those left out since, of the key, and of letting them back in."""

import asyncio
import json
from asyncio.subprocess import PIPE
from pathlib import Path

import aiohttp
from cli_place import Place

from tests.daemons import running

BO, AL, PHONE = 7301, 7302, "+12125550173"


def night(place: Place, folder: Path, day: int) -> str:
    """Load the contacts of a night; what was said."""
    path = folder / f"contact_1_2026-02-0{day}T00-00-00-0800Z.csv"
    path.write_text(f"id,display_name,phone\n{BO},Bo,{PHONE}\n{AL},Al {day},\n")
    done = place.run("load", path)
    assert done.exit_code == 0, done.output
    return str(done.output)


def test_left_out_until_it_is_undone(place: Place, tmp_path: Path) -> None:
    assert "left out" not in night(place, tmp_path, 4)
    erased = json.loads(place.run("erase", "--phone", PHONE, "--yes", "--json").stdout)
    assert "1 row was left out" in night(place, tmp_path, 5)
    assert place.rows("SELECT id FROM contact") == [(AL,)]
    said = place.run("status").output
    assert "Left out, being about erased people: 1 row of files and 0 deliveries" in said
    assert json.loads(place.run("status", "--json").stdout)["suppressed"]["rows"] == 1
    assert place.run("erase", "--undo", 99, "--yes").exit_code == 2
    assert place.run("erase", "--undo", erased["id"], "--contact", BO, "--yes").exit_code == 2
    assert place.run("erase", "--undo", erased["id"], stdin="n\n").exit_code == 1
    undone = place.run("erase", "--undo", erased["id"], "--yes")
    assert undone.exit_code == 0 and f"Erasure {erased['id']} is undone" in undone.output
    (row,) = json.loads(place.run("erase", "list", "--json").stdout)
    assert row["undone_at"] is not None
    night(place, tmp_path, 6)
    assert sorted(place.rows("SELECT id FROM contact")) == [(BO,), (AL,)]


def test_a_lost_key_is_a_problem(place: Place, tmp_path: Path) -> None:
    night(place, tmp_path, 4)
    place.run("erase", "--phone", PHONE, "--yes")
    key = place.database.with_name("erased.key")
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    assert f"chmod o= {key}" in place.run("doctor").output
    key.unlink()
    for command in ("status", "doctor"):
        said = place.run(command)
        assert said.exit_code == 1 and f"{key} is not there" in " ".join(said.output.split())
    refused = place.run("erase", "--contact", AL, "--yes")
    assert refused.exit_code != 0 and "erased.key" in refused.output
    assert place.rows("SELECT id FROM contact") == [(AL,)]


async def test_a_daemon_stores_nothing_of_them_and_answers_as_ever(place: Place, tmp_path: Path) -> None:
    night(place, tmp_path, 4)
    place.edit("^secrets = .*", "allow_unauthenticated = true")
    async with running(place.config) as daemon, aiohttp.ClientSession() as session:
        erased = await asyncio.to_thread(place.run, "erase", "--phone", PHONE, "--yes")
        assert erased.exit_code == 0, erased.output
        body = {"orgId": 1, "customer": {"id": BO, "displayName": "Bo Canary"}}
        async with session.post(f"{daemon.address}/customer/added", json=body) as answer:
            assert answer.status == 200 and "stored" in await answer.json()
        held = (await asyncio.create_subprocess_exec("cat", *_files(place), stdout=PIPE)).communicate()
        assert b"Canary" not in (await held)[0]
    assert place.rows("SELECT state, body FROM sync_event") == [("applied", '{"orgId":1}')]
    assert place.rows("SELECT id FROM contact") == [(AL,)]


def _files(place: Place) -> list[Path]:
    return [path for path in place.database.parent.iterdir() if path.name.startswith("mirror.db")]
