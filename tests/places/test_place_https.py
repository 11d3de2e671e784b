"""Real certificates: one of an authority of our own is trusted if SSL_CERT_FILE names it, and not otherwise."""

import asyncio
import os
import ssl
import sys
from pathlib import Path
from subprocess import PIPE

import pytest
import trustme
from file_server import FileServer, serve
from place_contract import SECRET

from tests.fetch.fetch_home import Home


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def server_side(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


async def fetched(home: Home, **environment: str) -> tuple[int | None, str]:
    """The exit code of ``promptsync fetch`` in a process of its own, and what it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "promptsync", "--config", str(home.file), "fetch"),
        stdout=PIPE,
        stderr=PIPE,
        env={**os.environ, "SECRET": SECRET, **environment},
    )
    out, err = await process.communicate()
    return process.returncode, (out + err).decode()


async def test_an_authority_of_our_own_is_trusted_where_it_is_named(authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    async with serve(FileServer(SECRET), server_side(authority)) as server:
        assert server.address.startswith("https://")
        home = Home(tmp_path, f"{server.address}/out/", 'password = { env = "SECRET" }\n')
        server.files = {path.name: path.read_bytes() for path in home.night(4, ("org",))}
        refused = await fetched(home)
        assert not server.asked
        code, said = await fetched(home, SSL_CERT_FILE=str(tmp_path / "authority.pem"))
    assert refused[0] == 1
    assert "SSL_CERT_FILE" in refused[1] and SECRET not in refused[1]
    assert code == 0, said
    assert "org_" in said


async def test_a_certificate_for_another_name_is_refused(authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    async with serve(FileServer(SECRET), server_side(authority, "elsewhere.example")) as server:
        home = Home(tmp_path, f"{server.address}/out/", 'password = { env = "SECRET" }\n')
        code, said = await fetched(home, SSL_CERT_FILE=str(tmp_path / "authority.pem"))
        assert not server.asked
    assert code == 1, said
    assert "certificate" in said
