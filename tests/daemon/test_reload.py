"""A configuration that changes while the daemon runs, and SIGHUP: what is taken over, what waits, what is refused."""

import asyncio
import hmac
import http.client
import itertools
import json
import shutil
import signal
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from pydantic import TypeAdapter
from service_manager import Heard, process
from structlog.testing import capture_logs

from promptsync.config import Config, load_config
from promptsync.config.access import require_authentication
from promptsync.config.sections import WebhookConfig
from promptsync.daemon.alerts import Alerts
from promptsync.daemon.reload import LIVE, Reload, take_over
from promptsync.daemon.schedule import Schedule
from promptsync.engine.engine import Engine
from promptsync.errors import ConfigError
from promptsync.store.connect import leave_for_readers
from tests.daemons import running

RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
BODY = b'{"orgId": 1, "message": {"id": 7}}'
TEXT = """\
[webhook]
port = 0
secrets = [{ file = "webhook.secret" }]
[[nightly]]
location = "there"
schedule = "30 2 * * *"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "there").mkdir()
    (tmp_path / "webhook.secret").write_text("old")
    (tmp_path / "promptsync.toml").write_text(TEXT)
    return tmp_path / "promptsync.toml"


def delivered(address: str, secret: str) -> int:
    """The status of a delivery signed with a secret."""
    parts = urlsplit(address)
    signature = {"X-Hub-Signature": f"sha1={hmac.digest(secret.encode(), BODY, 'sha1').hex()}"}
    with closing(http.client.HTTPConnection(parts.netloc, timeout=120)) as connection:
        connection.request("POST", f"{parts.path}/message/added", BODY, signature)
        return connection.getresponse().status


def test_a_running_service_takes_over_secrets_and_refuses_what_is_wrong(heard: Heard, file: Path) -> None:
    def reload() -> None:
        daemon.send_signal(signal.SIGHUP)
        assert any(line.startswith("MONOTONIC_USEC=") for line in heard.until("RELOADING=1"))
        heard.until("READY=1")

    with process(heard, file, "run") as daemon:
        address = heard.until("READY=1")[1].split()[-1]
        assert (delivered(address, "old"), delivered(address, "new")) == (200, 401)
        (file.parent / "webhook.secret").write_text("new")
        reload()
        assert (delivered(address, "old"), delivered(address, "new")) == (401, 200)
        twice = f"{TEXT}[[nightly]]\nlocation = 'there'\n"
        unkept = f"{TEXT}[retention]\nx = '1 day'\n"
        for wrong in (TEXT.replace("port", "prot"), TEXT.replace("webhook.secret", "gone"), unkept, twice):
            file.write_text(wrong)
            reload()
            assert delivered(address, "new") == 200
        file.write_text(TEXT.replace("port = 0", "port = 1").replace("30 2", "40 2") + '[drop]\nfolder = "other"\n')
        reload()
        assert delivered(address, "new") == 200
        daemon.send_signal(signal.SIGTERM)
        _, said = daemon.communicate(timeout=120)
    assert daemon.returncode == 0
    lines = [line for line in said.splitlines() if "reloaded" in line]
    assert sum("not_reloaded" in line for line in lines) == 4
    for expected in ("did you mean 'port'", "gone", "retention.x", "Two sections", '"changed": "nightly"'):
        assert any(expected in line for line in lines), expected
    (partly,) = [line for line in lines if "reloaded_in_part" in line]
    assert "webhook.port, drop.folder change at the next start: systemctl restart promptsync" in partly


def test_the_pages_live_on(heard: Heard, file: Path, empty: Path) -> None:
    database = load_config(file).mirror.database
    database.parent.mkdir()
    shutil.copy(empty, database)
    leave_for_readers(database)
    file.write_text(f"{TEXT}[browse]\nport = 0\nanonymous = true\n")
    with process(heard, file, "browse") as pages:
        heard.until("READY=1")
        pages.send_signal(signal.SIGHUP)
        for _ in range(3):
            heard.until("WATCHDOG=1")
        assert pages.poll() is None


async def test_a_schedule_that_is_new_begins(file: Path) -> None:
    """Deliveries are shipped from now on."""
    kept = file.parent / "kept"
    async with running(load_config(file), read=lambda: load_config(file)) as daemon:
        assert await asyncio.to_thread(delivered, daemon.address, "old") == 200
        file.write_text(f"{TEXT}[backup]\nrecipient = '{RECIPIENT}'\nlocation = 'kept'\nevery = '1 second'\n")
        daemon.changed.set()
        async with asyncio.timeout(120):
            while not list(kept.glob("received-*.age")):
                await asyncio.sleep(0.05)


def changed(config: Config) -> Iterator[tuple[str, Config]]:
    """The configuration with one key after another taken from another one."""
    other = Config.read({"mirror": {"timezone": "UTC"}, "load": {"max_ratio": 2.0}}, Path("/other"))
    for name in Config.model_fields:
        section = getattr(config, name)
        if getattr(other, name) != section:
            yield name, config.model_copy(update={name: getattr(other, name)})


def test_what_is_not_named_as_live_waits_for_a_restart() -> None:
    config = Config.read({}, Path("/one"))
    found = dict(changed(config))
    assert {"mirror", "drop", "load", "plugins", "backup"} <= found.keys()
    for name, other in found.items():
        taken, at_once, waiting = take_over(config, other)
        assert bool(at_once) is (name in LIVE) and bool(waiting) is (name not in LIVE)
        assert (getattr(taken, name) == getattr(other, name)) is (name in LIVE)


def test_live_keys_are_keys() -> None:
    for name, keys in LIVE.items():
        assert name in Config.model_fields
        schema = TypeAdapter(Config.model_fields[name].annotation)
        text = json.dumps(schema.json_schema())
        assert all(f'"{key}": ' in text for key in keys or ())


def test_of_a_list_of_places_all_or_nothing_is_taken() -> None:
    def places(*entries: dict[str, object]) -> Config:
        return Config.read({"customerio": [{"location": "a"} | entry for entry in entries]}, Path("/one"))

    taken, at_once, waiting = take_over(places({}), places({"every": "1 hour"}))
    assert (at_once, waiting) == (["customerio"], []) and taken.customerio[0].every.total_seconds() == 3600
    taken, at_once, waiting = take_over(places({}), places({"every": "1 hour", "skip": []}))
    assert (at_once, waiting) == ([], ["customerio.skip"]) and taken == places({})
    for some, more in (((), ({},)), (({},), ({}, {"location": "b", "downloads": 1, "skip": ["delivery_content"]}))):
        for before, after in ((places(*some), places(*more)), (places(*more), places(*some))):
            taken, at_once, waiting = take_over(before, after)
            assert (at_once, waiting) == (["customerio"], []) and taken == after
    taken, at_once, waiting = take_over(places({}), places({}, {"location": "b", "skip": []}))
    assert (at_once, waiting) == ([], ["customerio"]) and taken == places({})


def test_a_webhook_that_may_be_so_is_never_taken_over_in_part_to_one_that_may_not() -> None:
    secret, password = {"file": "x"}, {"basic_auth": {"user": "x", "password": {"file": "x"}}}
    ways = itertools.product(("127.0.0.1", "0.0.0.0"), ([], [secret]), ({}, password), (False, True))  # noqa: S104
    allowed = []
    for host, secrets, basic, everyone in ways:
        section = {"host": host, "secrets": secrets, "allow_unauthenticated": everyone} | basic
        config = Config.read({"webhook": section}, Path("/one"))
        with suppress(ConfigError):
            require_authentication(config.webhook)
            allowed.append(config)
    assert len(allowed) == 13
    for before, after in itertools.product(allowed, repeat=2):
        taken, at_once, waiting = take_over(before, after)
        require_authentication(taken.webhook)
        keys = {f"webhook.{key}" for key in WebhookConfig.model_fields}
        assert not set(at_once) & set(waiting) and {*at_once, *waiting} <= keys
        assert bool(waiting) is (taken != after) and bool(at_once) is (taken != before)


async def test_what_opened_a_webhook_does_so_until_all_of_it_changes(file: Path) -> None:
    """Its secret is gone already."""
    async with running(load_config(file), read=lambda: load_config(file)) as daemon:
        file.write_text(TEXT.replace('secrets = [{ file = "webhook.secret" }]', "allow_unauthenticated = true"))
        (file.parent / "webhook.secret").unlink()
        with capture_logs() as lines:
            daemon.changed.set()
            async with asyncio.timeout(120):
                while not (said := [line for line in lines if "reloaded" in line["event"]]):
                    await asyncio.sleep(0.05)
        assert [line["event"] for line in said] == ["reloaded", "reloaded_in_part"]
        assert "webhook.allow_unauthenticated, webhook.secrets change at the next start" in said[1]["note"]
        statuses = [await asyncio.to_thread(delivered, daemon.address, secret) for secret in ("old", "new")]
        assert statuses == [200, 401]


async def test_places_of_a_kind_take_turns_whichever_configuration_they_are_of(file: Path, empty: Path) -> None:
    config = load_config(file)
    config.mirror.database.parent.mkdir()
    shutil.copy(empty, config.mirror.database)
    with Engine(config) as engine:
        schedule = Schedule(engine.mirror, engine.clock)
        reload = Reload(engine, web.Application(), schedule, Alerts(list, None))
        reload.schedule_tasks()
        async with reload._turns["nightly"]:  # a run is under way
            assert reload.schedule_tasks() == set()
            run = asyncio.create_task(schedule.run_now(schedule._tasks[f"fetch {file.parent / 'there'}"]))
            assert not (await asyncio.wait({run}, timeout=0.2))[0]
        await run


async def test_a_place_that_is_new_is_fetched_from_at_once(file: Path) -> None:
    """As at the start; what waits for another run goes on waiting."""
    async with running(load_config(file), read=lambda: load_config(file)) as daemon:
        for name in ("there", "here"):
            async with asyncio.timeout(120):
                while not runs_of(daemon.engine, f"fetch {file.parent / name}"):
                    await asyncio.sleep(0.05)
            (file.parent / "here").mkdir(exist_ok=True)
            file.write_text(f'{TEXT}[[customerio]]\nlocation = "here"\n')
            daemon.changed.set()
        assert len(runs_of(daemon.engine, f"fetch {file.parent / 'there'}")) == 1


def runs_of(engine: Engine, task: str) -> list[object]:
    with engine.mirror.reading() as connection:
        return connection.execute("SELECT outcome FROM sync_run WHERE task = ?", (task,)).fetchall()
