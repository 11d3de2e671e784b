"""The real daemon with an example plugin, killed in the middle: each opt-out is posted at least once."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner

from promptsync.cli import main
from tests.plugins.plugin_receiver import Receiver
from tests.plugins.plugin_samples import EXAMPLES, opt_out

CONFIG = """
[webhook]
port = 0
allow_unauthenticated = true
[plugins]
folder = "{folder}"
enabled = ["opt_out_alert"]
[plugins.opt_out_alert]
url = {{ file = "alert.url" }}
"""


def start(config: Path) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "promptsync", "--config", str(config), "run"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("Listening for webhooks at "), line
    return process, line.split()[-1]


def kill(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    process.kill()
    process.wait()
    process.stdout.close()


def post(address: str, contact: int) -> None:
    body = json.dumps(opt_out(contact, int(time.time() * 1000))).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/customer/optOut", body, headers)  # noqa: S310  our own daemon
    with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310
        assert response.status == 200


def until(true: Callable[[], bool]) -> None:
    for _ in range(6000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen within 10 seconds")


def test_each_opt_out_is_posted_at_least_once(tmp_path: Path) -> None:
    receiver = Receiver(refusing=2)
    config = tmp_path / "promptsync.toml"
    config.write_text(CONFIG.format(folder=EXAMPLES))
    (tmp_path / "alert.url").write_text(receiver.url)
    process, address = start(config)
    try:
        for contact in range(1, 31):
            post(address, contact)
        until(lambda: receiver.tries >= 1)
        kill(process)
        process, address = start(config)
        post(address, 31)
        until(lambda: {body["id"] for _, body in receiver.posts} == set(range(1, 32)))
        listed = CliRunner().invoke(main, ["--config", str(config), "plugins", "list", "--json"])
        (plugin,) = json.loads(listed.stdout)
        assert listed.exit_code == 0 and plugin["name"] == "opt_out_alert" and plugin["hooks"] == ["observers"]
        assert plugin["from"] == str(EXAMPLES / "opt_out_alert.py")
        assert plugin["calls"] >= 1 and plugin["seconds"] > 0 and not plugin["paused"] and plugin["restart"] is None
        config.write_text(config.read_text().replace('["opt_out_alert"]', '["opt_out_alert", "csv_dorp"]') + "x = 1\n")
        listed = CliRunner().invoke(main, ["--config", str(config), "plugins", "list"])
        assert "changed since, a restart loads it anew" in listed.stdout and "not loaded yet" in listed.stdout
        assert "A restart of the daemon would fail: " in listed.stdout and listed.exit_code == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        kill(process)
        receiver.close()
    assert {key for key, _ in receiver.posts} == {f"opt-out-{b['id']}-{b['opted_out_at']}" for _, b in receiver.posts}
