"""Secrets and personal data sent down every path: none of them comes out in what the daemon says of itself."""

import asyncio
import hmac
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import asyncssh

SECRET, PASSWORD, API_KEY = "canary-secret-1", "canary-password-2", "canary-key-3"
SIGNED, TEXT, PING = "canary-signature-4", "canary-text-5", "canary-ping-6"
PHONE, NAME_PHONE = "4155550177", "4155550188"
S3_KEY, S3_SECRET, SSH_PASSWORD, USER, LINK = (
    "canary-s3-7",
    "canary-s3-8",
    "canary-ssh-9",
    "canary-user-10",
    "canary-11",
)
CANARIES = (SECRET, PASSWORD, API_KEY, SIGNED, TEXT, PING, PHONE, NAME_PHONE)
CANARIES += (S3_KEY, S3_SECRET, SSH_PASSWORD, USER, LINK)

CONFIG = """
[webhook]
port = 0
health = true
secrets = [{{ file = "webhook.secret" }}]
[drop]
settle = "100ms"
rescan = "100ms"
[plugins]
folder = "plugins"
enabled = ["raising"]
[qlara]
base_url = "{server}/api"
api_key = {{ file = "qlara.key" }}
contacts = "0 * * * *"
messages = "0 * * * *"
[alerts]
healthcheck_url = {{ file = "ping.url" }}
[[nightly]]
location = "{server}/out/?sig={signed}"
password = {{ file = "web.password" }}
[[nightly]]
location = "s3://bucket/exports"
endpoint = "{server}"
access_key = {{ file = "s3.key" }}
secret_key = {{ file = "s3.secret" }}
[[nightly]]
location = "sftp://{user}@127.0.0.1:{ssh}/out"
password = {{ file = "ssh.password" }}
known_hosts = "known_hosts"
"""
PLUGIN = """
from promptsync import hookimpl

def handle(fields, claims):
    raise ValueError("{text} +1{phone}")

@hookimpl
def event_handlers(settings):
    return {{"custom/raising": handle}}
"""


@contextmanager
def refusing() -> Iterator[str]:
    """A server that quotes secrets in its refusals and leads on to a signed address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, said = 403, {"message": f"{SIGNED} {API_KEY} +1{PHONE}"}
            if self.path.startswith("/api/messages"):
                code, said = 202, {"id": "1"}
            elif self.path.startswith("/api/exports") and "contacts" not in self.path:
                link = {"url": f"http://{self.headers['Host']}/files/{LINK}.csv?X-Signature={SIGNED}"}
                listed = [{"id": "1", "status": "COMPLETED", "isAvailableForDownload": True}]
                code, said = 200, {"content": listed} if "page" in self.path else link
            elif self.path.startswith("/files/"):
                code, said = 302, {}
            body = json.dumps(said).encode()
            self.send_response(code)
            if code == 302:
                self.send_header("Location", f"http://elsewhere.example/{LINK}?X-Signature={SIGNED}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class NoPassword(asyncssh.SSHServer):
    """Asks for a password and takes none."""

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return False


@contextmanager
def ssh_server(known_hosts: Path) -> Iterator[int]:
    """The port of a server that the client knows and is refused by."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    key = asyncssh.generate_private_key("ssh-ed25519")

    async def begin() -> asyncssh.SSHAcceptor:
        return await asyncssh.create_server(NoPassword, "127.0.0.1", 0, server_host_keys=[key])

    server = asyncio.run_coroutine_threadsafe(begin(), loop).result(5)
    port = server.get_port()
    known_hosts.write_text(f"[127.0.0.1]:{port} {key.export_public_key().decode()}")
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.call_later, 0.05, loop.stop)
        thread.join(5)
        loop.close()


SECRETS = {
    "webhook.secret": SECRET,
    "qlara.key": API_KEY,
    "web.password": PASSWORD,
    "s3.key": S3_KEY,
    "s3.secret": S3_SECRET,
    "ssh.password": SSH_PASSWORD,
}


def written(folder: Path, server: str, ssh: int) -> Path:
    for name, text in SECRETS.items():
        (folder / name).write_text(text)
    (folder / "ping.url").write_text(f"{server}/{PING}")
    (folder / "plugins").mkdir()
    (folder / "plugins" / "raising.py").write_text(PLUGIN.format(text=TEXT, phone=PHONE))
    (folder / "promptsync.toml").write_text(CONFIG.format(server=server, signed=SIGNED, user=USER, ssh=ssh))
    return folder / "promptsync.toml"


def post(address: str, path: str, body: bytes, secret: str = SECRET) -> int:
    signature = "sha1=" + hmac.digest(secret.encode(), body, "sha1").hex()
    headers = {"X-Hub-Signature": signature, "Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/{path}", body, headers)  # noqa: S310  our own daemon
    try:
        with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def deliver(address: str) -> None:
    message = {"id": 5, "content": TEXT, "userType": "CUSTOMER", "userId": 3, "createdTimestamp": 1_770_192_000_005}
    good = json.dumps({"orgId": 1, "message": message | {"status": "RECEIVED"}, "phone": f"+1{PHONE}"}).encode()
    assert post(address, "message/added", good) == 200
    assert post(address, "message/added", good, "wrong") == 401
    assert post(address, "message/added", f"{TEXT} +1{PHONE}".encode()) in (200, 400)
    assert post(address, f"unknown/+1{PHONE}", good) == 200
    assert post(address, f"contactAction/{TEXT}", good) == 200
    assert post(address, "custom/raising", good) == 200
    assert post(address, f"message/added?signature={SIGNED}", good) >= 200


def drop(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    header = "id,display_name,phone\n"
    rows = [f"{n},{TEXT},+1{PHONE}\n" for n in range(1, 60)]
    rejects = [f"no number {TEXT},x,{PHONE}\n"]
    put(folder / "contact_1_2026-02-04T00-00-00-0800Z.csv", header + "".join(rows) + rejects[0] * 5)
    put(folder / "contact_2_2026-02-04T00-00-00-0800Z.csv", header + f'1,"{TEXT}\n')
    put(folder / f"+1{NAME_PHONE}.csv", TEXT)
    put(folder / f"contact {NAME_PHONE}.csv.gz", TEXT)


def put(path: Path, text: str) -> None:
    """A file that nobody has written to for long comes by a rename."""
    hidden = path.with_name(f".{path.name}")
    hidden.write_text(text)
    os.utime(hidden, (0, 0))
    hidden.rename(path)


def until(true: Callable[[], bool]) -> None:
    for _ in range(400):
        if true():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen within 8 seconds")


def counted(database: Path, sql: str) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return int(connection.execute(sql).fetchone()[0])


def test_nothing_private_comes_out(tmp_path: Path) -> None:
    with refusing() as server, ssh_server(tmp_path / "known_hosts") as ssh:
        config = written(tmp_path, server, ssh)
        err = (tmp_path / "err").open("w+")
        command = [sys.executable, "-m", "promptsync", "--config", str(config), "-v", "run"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, text=True)
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line, (tmp_path / "err").read_text()
            address, database = line.split()[-1], next(tmp_path.rglob("*.db"))
            deliver(address)
            drop(tmp_path / "drop" if (tmp_path / "drop").exists() else database.parent / "drop")
            until(lambda: counted(database, "SELECT count(*) FROM sync_event WHERE state = 'pending'") == 0)
            until(lambda: counted(database, "SELECT count(*) FROM sync_file") >= 3)
            until(lambda: counted(database, "SELECT count(DISTINCT task) FROM sync_run WHERE outcome <> 'done'") >= 5)
            base = address.partition("/hooks")[0]
            with urllib.request.urlopen(f"{base}/-/metrics", timeout=120) as response:  # noqa: S310
                metrics = response.read().decode()
        finally:
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=120)
            err.close()
        said = {"out": line + out, "err": (tmp_path / "err").read_text(), "metrics": metrics}
    with closing(sqlite3.connect(database)) as connection:
        for table in ("sync_run", "sync_job", "sync_object", "sync_state"):
            said[table] = repr(connection.execute(f"SELECT * FROM {table}").fetchall())
    assert process.returncode == 0
    for reached in ("refuses the key", "refuses the keys", "elsewhere.example", "refuses us", "status 403"):
        assert reached in said["sync_run"] + said["sync_job"], reached
    assert "event_failed" in said["err"] or "plugin_failed" in said["err"]
    assert '"file"' in said["err"] and "Traceback" not in said["err"]
    assert all(json.loads(line)["level"] for line in said["err"].splitlines())
    found = [(where, canary) for where, text in said.items() for canary in CANARIES if canary in text]
    assert found == []


def test_a_configuration_with_a_password_in_an_address_is_not_quoted(tmp_path: Path) -> None:
    config = tmp_path / "promptsync.toml"
    location = f"sftp://me:{PASSWORD}@127.0.0.1/out"
    config.write_text(f'[webhook]\nallow_unauthenticated = true\n[[nightly]]\nlocation = "{location}"\n')
    command = [sys.executable, "-m", "promptsync", "--config", str(config), "-v", "fetch"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 2
    assert ended.stderr and PASSWORD not in ended.stdout + ended.stderr
