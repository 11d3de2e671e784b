"""The metrics of a daemon, as a scraper reads them."""

import asyncio
import gzip
import json
import time
from pathlib import Path

import aiohttp
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from promptsync import __version__
from promptsync.config import Config, load_config
from promptsync.daemon.client import socket_path
from tests.daemons import running

TEXT = """[webhook]
port = 0
health = true
allow_unauthenticated = true
max_body = "1KiB"
[drop]
settle = "100ms"
rescan = "100ms"
"""
CONTACTS = "id,display_name,phone\n1,Ana,+14155550001\n2,Bo,+14155550002\n"
Labels = tuple[tuple[str, str], ...]


async def scraped(config: Config) -> dict[tuple[str, Labels], float]:
    connector = aiohttp.UnixConnector(str(socket_path(config.mirror.database)))
    async with aiohttp.ClientSession(connector=connector) as session, session.get("http://x/-/metrics") as response:
        assert response.content_type == "text/plain"
        text = await response.text()
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    assert all(family.documentation for family in families)
    samples = [sample for family in families for sample in family.samples]
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}


async def asked(config: Config, accepted: str) -> tuple[str, str, str]:
    """Content type, server and text."""
    connector = aiohttp.UnixConnector(str(socket_path(config.mirror.database)))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get("http://x/-/metrics", headers={"Accept": accepted}) as response,
    ):
        return response.headers["Content-Type"], response.headers["Server"], await response.text()


async def test_openmetrics_is_answered_to_whoever_asks_for_it(tmp_path: Path) -> None:
    (tmp_path / "promptsync.toml").write_text(TEXT)
    config = load_config(tmp_path / "promptsync.toml")
    prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
    async with running(config):
        kind, server, text = await asked(config, prometheus)
        assert (kind.partition(";")[0], server) == ("application/openmetrics-text", "promptsync")
        families = {family.name: family for family in parse_openmetrics(text)}
        assert (await asked(config, "*/*"))[0].startswith("text/plain; version=")
    (build,) = families["promptsync_build"].samples
    assert build.name == "promptsync_build_info" and build.labels["version"] == __version__
    (started,) = families["process_start_time_seconds"].samples
    assert 0 < time.time() - started.value < 7 * 86_400  # of the process that runs the tests
    assert {"process_resident_memory_bytes", "process_cpu_seconds", "process_open_fds"} <= families.keys()


async def test_everything_that_happened_can_be_scraped(tmp_path: Path) -> None:
    (tmp_path / "promptsync.toml").write_text(TEXT)
    config = load_config(tmp_path / "promptsync.toml")
    async with running(config) as daemon, aiohttp.ClientSession() as session:
        before = await scraped(config)
        body = json.dumps({"orgId": 1, "customer": {"id": 1, "displayName": "Ana"}})
        posts = ["customer/added"] * 3 + ["contactAction/spring-drive", "secret/+15551234567"]
        for path in posts:
            async with session.post(f"{daemon.address}/{path}", data=body) as response:
                assert response.status == 200
        async with session.post(f"{daemon.address}/customer/added", data="x" * 2000) as response:
            assert response.status == 413
        async with session.get(daemon.address.partition("/hooks")[0] + "/nowhere"):
            pass
        await asyncio.to_thread(daemon.engine.apply_pending)
        config.drop.folder.mkdir(exist_ok=True, parents=True)
        (config.drop.folder / "contact_1_2026-02-04T00-00-00-0800Z.csv.gz").write_bytes(
            gzip.compress(CONTACTS.encode(), mtime=0)
        )
        for _ in range(200):
            metrics = await scraped(config)
            if metrics.get(("promptsync_snapshot_rows", (("org", "1"), ("table", "contact")))):
                break
            await asyncio.sleep(0.02)
    deliveries = {labels: n for (name, labels), n in metrics.items() if name == "promptsync_deliveries_total"}
    assert {(dict(labels)["type"], dict(labels)["outcome"]): n for labels, n in deliveries.items()} == {
        ("customer/added", "stored"): 3,
        ("contactAction", "stored"): 1,
        ("other", "stored"): 1,
        ("", "too_large"): 1,
        ("", "path"): 1,
    }
    assert before[("promptsync_commit_seconds_count", ())] == 0
    assert metrics[("promptsync_commit_seconds_count", ())] == 5
    assert 0 < metrics[("promptsync_commit_seconds_sum", ())] < 10
    assert 1 <= metrics[("promptsync_apply_seconds_count", ())] <= 5
    assert metrics[("promptsync_events", (("state", "unknown_type"),))] == 1
    assert metrics[("promptsync_oldest_pending_seconds", ())] == 0
    assert metrics[("promptsync_snapshot_rows", (("org", "1"), ("table", "contact")))] == 2
    rows = {dict(labels)["outcome"]: n for (name, labels), n in metrics.items() if name == "promptsync_file_rows_total"}
    assert rows["inserted"] + rows["updated"] + rows["unchanged"] == 2
    assert (("outcome", "inserted"), ("source", "drop"), ("table", "contact")) in {labels for _, labels in metrics}
    for kind, source in (("webhook", ""), ("snapshot", "contact")):
        age = metrics[("promptsync_last_success_age_seconds", (("kind", kind), ("source", source)))]
        assert 0 <= age < 60
        at = metrics[("promptsync_last_success_timestamp_seconds", (("kind", kind), ("source", source)))]
        assert at > 1.7e9
    assert not any(kind == "webhook" for _, labels in before for _, kind in labels)
    assert metrics[("promptsync_size_bytes", (("file", "wal"),))] > 0
    assert metrics[("promptsync_disk_free_bytes", ())] > 0
