"""A backup, segments and a restore through the places that are elsewhere: an S3 server and an sshd."""

import asyncio
import getpass
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import ClientSession
from backup_home import Home

from tests.places.counterparts import s3_server, ssh_server


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("s3")) as address:
        yield address


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    folder = tmp_path_factory.mktemp("ssh")
    with ssh_server(folder) as port:
        yield folder, port


def there_and_back(home: Home, found: Home) -> None:
    home.receive(*range(4))
    with home.engine():
        home.ship()
        made = home.backup()
        home.receive(4, 5)
        home.ship()
    restored = found.restore()
    assert (restored.backup, restored.deliveries, restored.unreadable, restored.gaps) == (made.name, 2, [], [])
    assert found.rows() == home.rows()
    stored, _ = home.destination.look()
    assert len(stored.backups) == 1 and stored.backups[0].digest is not None


async def test_s3(home: Home, tmp_path: Path, s3: str) -> None:
    signed = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    async with ClientSession() as session, session.put(f"{s3}/vault", headers={"Authorization": signed}) as made:
        assert made.status == 200
    (tmp_path / "secret").write_text("secret")
    secret = {"file": str(tmp_path / "secret")}
    home.settings |= {"location": "s3://vault/prompt", "endpoint": s3, "access_key": secret, "secret_key": secret}
    await asyncio.to_thread(there_and_back, home, Home(tmp_path / "found", tmp_path / "place", home.settings))


def test_sftp(home: Home, tmp_path: Path, ssh: tuple[Path, int]) -> None:
    folder, port = ssh
    location = f"sftp://{getpass.getuser()}@127.0.0.1:{port}{quote(str(home.place))}"
    home.settings |= {"location": location, "private_key": {"file": str(folder / "client")}}
    home.settings |= {"known_hosts": str(folder / "known_hosts")}
    there_and_back(home, Home(tmp_path / "found", tmp_path / "place", home.settings))
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in home.place.iterdir())
