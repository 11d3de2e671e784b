"""Webhooks and pages behind a real nginx and a real Caddy, configured as the documentation and ``init`` say."""

import hmac
import html
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
import structlog
import trustme
from account import NOW
from aiohttp import web
from browse_sample import PASSWORD
from served_site import served

from promptsync.browse.settings import BrowseSettings
from promptsync.cli.outside import proxy_blocks
from promptsync.config import Config
from promptsync.model.delivery import Delivery
from promptsync.webhook.listener import ListenerSettings, build_listener, listener_runner
from promptsync.webhook.signature import Authenticator

NAME = "prompt.example.org"
VISITOR = "127.0.0.2"
SECRET = b"entered at the vendor"
BODY = b'{"filler": "' + b"x" * (12 << 20) + b'"}'
PROGRAMS = {"nginx": "nginx-light", "caddy": "caddy"}
"""What is run, and what Debian calls its package."""

NGINX = """\
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name {name};
        ssl_certificate {folder}/chain.pem; ssl_certificate_key {folder}/key.pem;
{block}
    }}
}}
"""
CADDY = "{{\n    admin off\n    auto_https disable_redirects\n}}\n{block}"
WITH_TLS = "{name}:{port} {{\n    bind 127.0.0.1\n    tls {folder}/chain.pem {folder}/key.pem\n"


@dataclass(frozen=True)
class Tls:
    """A folder with the certificate of ``NAME``, and what trusts it."""

    folder: Path
    trusts: ssl.SSLContext


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    folder, authority = tmp_path_factory.mktemp("proxy"), trustme.CA()
    made = authority.issue_cert(NAME)
    made.private_key_pem.write_to_path(folder / "key.pem")
    for part in made.cert_chain_pems:
        part.write_to_path(folder / "chain.pem", append=True)
    trusts = ssl.create_default_context()
    authority.configure_trust(trusts)
    return Tls(folder, trusts)


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"install {' '.join(missing)}")
    if missing:
        pytest.skip(f"{' '.join(missing)} not installed")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@contextmanager
def proxy(kind: str, block: str, tls: Tls) -> Iterator[int]:
    """A proxy with TLS, configured by ``block``; its port."""
    port, given = free_port(), {"folder": tls.folder, "name": NAME}
    if kind == "nginx":
        text = NGINX.format(port=port, block=block, **given)
        command = ["nginx", "-p", str(tls.folder), "-e", "stderr", "-c"]
    else:
        text = CADDY.format(block=block.replace(f"{NAME} {{\n", WITH_TLS.format(port=port, **given)))
        command = ["caddy", "run", "--adapter", "caddyfile", "--config"]
    file = tls.folder / f"{kind}.conf"
    file.write_text(text)
    places = {"HOME": str(tls.folder), "XDG_DATA_HOME": str(tls.folder), "XDG_CONFIG_HOME": str(tls.folder)}
    with subprocess.Popen([*command, str(file)], stderr=subprocess.PIPE, env=os.environ | places) as process:
        try:
            while not listens(port):
                assert process.poll() is None, process.stderr and process.stderr.read().decode()
                time.sleep(0.02)
            yield port
        finally:
            process.terminate()


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@asynccontextmanager
async def webhooks(stored: list[Delivery]) -> AsyncIterator[int]:
    async def take(delivery: Delivery) -> int:
        stored.append(delivery)
        return len(stored)

    authenticator = Authenticator((SECRET,), None, (), False)
    runner = listener_runner(build_listener(ListenerSettings("/hooks/prompt", authenticator), take))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def visitor(port: int, tls: Tls) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody at an address of their own, who opens the public name and pretends to be somebody else."""
    pretended = {"host": f"{NAME}:{port}", "x-forwarded-for": "203.0.113.7"}
    transport = httpx.AsyncHTTPTransport(verify=tls.trusts, local_address=VISITOR)

    async def named(request: httpx.Request) -> None:
        request.extensions["sni_hostname"] = NAME

    async with httpx.AsyncClient(
        base_url=f"https://127.0.0.1:{port}",
        transport=transport,
        headers=pretended,
        event_hooks={"request": [named]},
        timeout=120,
    ) as client:
        yield client


def blocks(config: Config, prefix: str) -> dict[str, str]:
    """The configuration of each proxy for pages at or below ``prefix``."""
    said = proxy_blocks(config, NAME)
    if prefix == "/":
        return said
    hooks = said["nginx"][: said["nginx"].index("location / {")]
    return {"nginx": hooks + said["nginx-prefix"], "caddy": said["caddy-prefix"]}


async def log_in(client: httpx.AsyncClient, prefix: str, password: str) -> httpx.Response:
    page = await client.get(f"{prefix}-/login")
    assert page.status_code == 200, page.text
    token = re.search('name="csrftoken" value="([^"]+)"', page.text)
    assert token
    form = {"username": "sam", "password": password, "csrftoken": token[1]}
    return await client.post(f"{prefix}-/login", data=form)


@pytest.mark.parametrize("prefix", ["/", "/mirror/"])
async def test_webhooks_and_pages_arrive_as_they_were_sent(settings: BrowseSettings, tls: Tls, prefix: str) -> None:
    pages = replace(settings, port=free_port(), public=f"https://{NAME}{prefix}", trusted_proxies=("127.0.0.1",))
    stored: list[Delivery] = []
    async with webhooks(stored) as port:
        data = {"webhook": {"port": port}, "browse": {"port": pages.port}}
        given = blocks(Config.read(data, tls.folder), prefix)
        with served(pages, lambda: NOW):
            for kind in PROGRAMS:
                stored.clear()
                with proxy(kind, given[kind], tls) as at:
                    async with visitor(at, tls) as client:
                        assert await deliver(client) == (401, 200)
                        assert [(one.path, one.body == BODY.decode()) for one in stored] == [
                            ("contactAction/a b", True)
                        ]
                        await check_pages(client, prefix)


async def deliver(client: httpx.AsyncClient) -> tuple[int, int]:
    """The status of a delivery without a signature, and of one with it."""
    refused = await client.post("/hooks/prompt/message/added", content=b"{}")
    signature = {"x-hub-signature": f"sha1={hmac.digest(SECRET, BODY, 'sha1').hex()}"}
    stored = await client.post("/hooks/prompt/contactAction/a%20b", content=BODY, headers=signature)
    return refused.status_code, stored.status_code


async def check_pages(client: httpx.AsyncClient, prefix: str) -> None:
    """Somebody logs in from their own address, and every link leads on."""
    with structlog.testing.capture_logs() as said:
        assert "ds_actor" not in (await log_in(client, prefix, "wrong")).cookies
        answer = await log_in(client, prefix, PASSWORD)
    assert {line["address"] for line in said if "login" in line["event"]} == {VISITOR}
    assert (answer.status_code, answer.headers["location"]) == (302, prefix)
    assert all("; Secure" in cookie for cookie in answer.headers.get_list("set-cookie"))
    for path in ("", "mirror/message?_size=2"):
        page = await client.get(f"{prefix}{path}")
        assert page.status_code == 200
        own = page.text.replace(f"https://{client.headers['host']}/", "/")
        links = {html.unescape(link) for link in re.findall(' href="([^"#]+)', own)}
        assert links and all(link.startswith(prefix) for link in links)
        for link in sorted(links, key=lambda link: ("message" not in link, link))[:8]:
            assert (await client.get(link)).status_code == 200, link
    rows = (await client.get(f"{prefix}mirror/message.json?_size=2")).json()
    assert rows["next_url"].startswith(f"https://{client.headers['host']}{prefix}mirror/message.json?")
    if prefix != "/":
        moved = await client.get(prefix.rstrip("/"))
        assert moved.is_redirect and moved.headers["location"].endswith(prefix)
