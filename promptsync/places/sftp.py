"""SFTP servers as places, through asyncssh.

Owns the connection: the server must show a key that known_hosts holds, and we show the configured key or password and
nothing else (no agent, no keys or settings of the user's home). Links on the server are not followed. Only what is
stored, deleted or moved on order is changed there.
"""

import asyncio
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import asyncssh

from promptsync.errors import ConfigError, FileUnavailable, InputRefused, Unavailable
from promptsync.places.entries import odd_name
from promptsync.places.place import (
    Item,
    Pass,
    PassedOver,
    PlaceSettings,
    ignore,
    is_partial,
    partial_key,
    public_name,
)
from promptsync.places.safe_http import Gone

_CHUNK: Final = 1 << 18
_AT_ONCE: Final = 16  # requests under way, of 16 KiB
_DEEPEST: Final = 64
_MOST: Final = 1_000_000
_PAGE: Final = 1000
_CONNECT_SECONDS: Final = 20.0
_MISSING: Final = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)
_LOST: Final = (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection)


class SftpPlace:
    """Files below a folder of an SFTP server. Connects when it is first asked, and again if the connection was lost."""

    ranged = True
    settles = True

    def __init__(self, settings: PlaceSettings) -> None:
        self._settings = settings
        self._root = unquote(urlsplit(settings.location).path) or "."
        self._name = public_name(settings.location)
        self._stall = settings.stall_seconds
        self._connection: asyncssh.SSHClientConnection | None = None
        self._sftp: asyncssh.SFTPClient | None = None

    async def pages(self, passed: Pass = ignore) -> AsyncIterator[list[Item]]:
        """Every regular file, subfolders included; names that begin with a dot are left out."""
        listed, page = 0, list[Item]()
        folders, client = [""], await self._client()
        while folders:
            prefix = folders.pop()
            async with aclosing(self._entries(client, prefix, passed)) as entries:
                async for item in entries:
                    if isinstance(item, str):
                        folders.append(item)
                    else:
                        page.append(item)
                    if listed + len(page) + len(folders) > _MOST:
                        raise InputRefused("too_many", f"{self._name} lists more than {_MOST:,} files.")
                    if len(page) == _PAGE:
                        yield page
                        listed, page = listed + len(page), []
        if page:
            yield page

    async def _entries(
        self, client: asyncssh.SFTPClient, prefix: str, passed: Pass
    ) -> AsyncGenerator[Item | str, None]:
        """The files of a folder, and the prefixes of its folders."""
        with _folder_translated(self._name, prefix, passed):
            async for entry in client.scandir(self._path(prefix.rstrip("/"))):
                name, attrs = _text(entry.filename), entry.attrs
                if name.startswith("."):
                    continue
                if odd_name(name) or "/" in name:
                    passed(PassedOver(f"{prefix}{name}", "its name has control signs, or is not UTF-8; rename it."))
                elif not stat.S_ISDIR(attrs.permissions or 0):
                    if stat.S_ISREG(attrs.permissions or 0):
                        yield _item(prefix + name, attrs)
                elif prefix.count("/") >= _DEEPEST:
                    passed(PassedOver(f"{prefix}{name}/", f"it is more than {_DEEPEST} folders deep; move it up."))
                else:
                    yield f"{prefix}{name}/"

    async def read(self, item: Item, offset: int = 0) -> AsyncIterator[bytes]:
        """The file's bytes; Gone too if another file has taken its place."""
        client = await self._client()
        with _item_translated(self._name, item.key):
            async with asyncio.timeout(self._stall):
                file = await client.open(self._path(item.key), "rb")
            async with file:
                if _item(item.key, await file.stat()).tag != item.tag:
                    raise Gone(f"{item.key} has changed since it was listed.")
                while True:
                    async with asyncio.timeout(self._stall):
                        piece = await file.read(_CHUNK, offset)
                    if not piece:
                        return
                    offset += len(piece)
                    yield piece if isinstance(piece, bytes) else piece.encode()

    async def md5(self, item: Item, *, sure: bool = False) -> str | None:
        """None: an SFTP server states no digest."""
        return None

    async def remove(self, item: Item) -> None:
        """Delete the file."""
        client = await self._certain(item)
        with _item_translated(self._name, item.key):
            await client.remove(self._path(item.key))

    async def move(self, item: Item, folder: str) -> None:
        """Move the file; folders are made."""
        client, target = await self._certain(item), self._path(f"{folder}/{item.key}")
        with _item_translated(self._name, item.key):
            await client.makedirs(target.rpartition("/")[0], exist_ok=True)
            await client.posix_rename(self._path(item.key), target)

    async def put(self, key: str, source: Path) -> None:
        """Copy a file to the server, mode 0600; it has its name once all of it is there. Folders are made."""
        if not await asyncio.to_thread(source.is_file):
            raise FileUnavailable(f"{source} cannot be read.")
        client, part, target = await self._client(), self._path(partial_key(key)), self._path(key)
        with _storing_translated(self._name, key):
            if "/" in key:
                await client.makedirs(target.rpartition("/")[0], exist_ok=True)
            try:
                await client.put(str(source), part, max_requests=_AT_ONCE)
                await client.chmod(part, 0o600)
                async with client.open(part, "r+b") as file:
                    with suppress(asyncssh.SFTPOpUnsupported):
                        await file.fsync()
                await client.posix_rename(part, target)
            except asyncssh.SFTPError:
                with suppress(asyncssh.Error):
                    await client.remove(part)
                raise

    async def tidy(self, prefix: str) -> None:
        """Remove parts of files in the folder itself."""
        client = await self._client()
        with _storing_translated(self._name, prefix):
            async for entry in client.scandir(self._path("")):
                if is_partial(_text(entry.filename), prefix):
                    await client.remove(self._path(_text(entry.filename)))

    async def _certain(self, item: Item) -> asyncssh.SFTPClient:
        """A client, once this version of an item was seen to be there."""
        client = await self._client()
        with _item_translated(self._name, item.key):
            async with asyncio.timeout(self._stall):
                found = await client.lstat(self._path(item.key))
        if not stat.S_ISREG(found.permissions or 0) or _item(item.key, found).tag != item.tag:
            raise Gone(f"{item.key} has changed since it was loaded.")
        return client

    async def close(self) -> None:
        """End the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            await self._connection.wait_closed()
            self._connection = None

    async def _client(self) -> asyncssh.SFTPClient:
        """A live client."""
        if self._connection is not None and self._sftp is not None and not self._connection.is_closed():
            return self._sftp
        await self.close()
        with _connecting(self._name):
            self._connection = await _connect(self._settings)
            self._sftp = await self._connection.start_sftp_client(path_errors="surrogateescape")
        return self._sftp

    def _path(self, key: str) -> str:
        return f"{self._root.rstrip('/')}/{key}" if key else self._root


@asynccontextmanager
async def open_sftp(settings: PlaceSettings) -> AsyncIterator[SftpPlace]:
    """The place that an ``sftp://`` location names."""
    place = SftpPlace(settings)
    try:
        yield place
    finally:
        await place.close()


async def _connect(settings: PlaceSettings) -> asyncssh.SSHClientConnection:
    parts = urlsplit(settings.location)
    options = {
        "port": parts.port or 22,
        "username": unquote(parts.username) if parts.username else (),
        "known_hosts": str(_known_hosts(settings)),
        "client_keys": _keys(settings),
        "password": settings.password,
        "agent_path": None,
        "config": None,
        "gss_auth": False,
        "gss_kex": False,
        "connect_timeout": _CONNECT_SECONDS,
        "login_timeout": _CONNECT_SECONDS,
        "keepalive_interval": 15,
    }
    return await asyncssh.connect(parts.hostname or "", **options)


def _known_hosts(settings: PlaceSettings) -> Path:
    """The file to check the server's key against: there must be one, or anyone could be the server."""
    path = settings.known_hosts or Path.home() / ".ssh" / "known_hosts"
    if not path.is_file():
        host = urlsplit(settings.location).hostname
        raise ConfigError(f"There is no {path} to know {host} by; make it: ssh-keyscan {host} > {path}, and check it.")
    return path


def _keys(settings: PlaceSettings) -> list[asyncssh.SSHKey] | None:
    if settings.private_key is None:
        return None
    try:
        return [asyncssh.import_private_key(settings.private_key.decode("ascii") + "\n")]
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, UnicodeDecodeError):
        raise ConfigError("private_key is no SSH key without a passphrase; make one with ssh-keygen.") from None


def _item(key: str, attrs: asyncssh.SFTPAttrs) -> Item:
    modified = None if attrs.mtime is None else attrs.mtime * 1_000_000 + (attrs.mtime_ns or 0) // 1000
    return Item(key, f"{attrs.size}-{modified}", attrs.size, modified)


def _text(name: str | bytes) -> str:
    return name if isinstance(name, str) else name.decode("utf-8", "surrogateescape")


@contextmanager
def _folder_translated(name: str, prefix: str, passed: Pass) -> Iterator[None]:
    """What a folder answers concerns that folder; the place, if it is the place's own or the connection is lost."""
    try:
        yield
    except _MISSING:
        if not prefix:  # any other went while we looked
            raise ConfigError(f"{name} has no such folder; check the path.") from None
    except asyncssh.SFTPPermissionDenied:
        if not prefix:
            raise ConfigError(f"{name} lets us in but not read this folder; check its permissions.") from None
        passed(PassedOver(prefix, "the server does not let us read this folder; check its permissions, or move it."))
    except _LOST:
        raise _unreachable(name, "connection lost") from None
    except asyncssh.SFTPError as error:
        if not prefix:
            raise _unreachable(name, type(error).__name__) from None
        passed(PassedOver(prefix, f"the server cannot list this folder ({type(error).__name__})."))
    except (asyncssh.Error, TimeoutError, OSError) as error:
        raise _unreachable(name, type(error).__name__) from None


@contextmanager
def _item_translated(name: str, key: str) -> Iterator[None]:
    """What is answered about an item concerns that item, unless the connection is lost."""
    try:
        yield
    except _MISSING:
        raise Gone(f"{key} is not at {name} any more.") from None
    except asyncssh.SFTPPermissionDenied:
        says = f"{name} does not let us read, delete or move {key}; check its permissions, and its folder's."
        raise InputRefused("permission", says) from None
    except _LOST:
        raise _unreachable(name, "connection lost") from None
    except asyncssh.SFTPError as error:
        raise FileUnavailable(f"{name} cannot serve {key} ({type(error).__name__}); try again later.") from None
    except (asyncssh.Error, TimeoutError, OSError) as error:
        raise _unreachable(name, type(error).__name__) from None


@contextmanager
def _storing_translated(name: str, key: str) -> Iterator[None]:
    """What is answered while a file is stored."""
    try:
        yield
    except _MISSING:
        raise ConfigError(f"{name} has no such folder; make it, or correct the path.") from None
    except asyncssh.SFTPPermissionDenied:
        raise ConfigError(f"{name} lets us in but not write this folder; change its permissions.") from None
    except _LOST:
        raise _unreachable(name, "connection lost") from None
    except asyncssh.SFTPError as error:
        raise Unavailable(
            f"{name} cannot store {key} ({type(error).__name__}); is there room? Try again later."
        ) from None
    except (asyncssh.Error, TimeoutError, OSError) as error:
        raise _unreachable(name, type(error).__name__) from None


@contextmanager
def _connecting(name: str) -> Iterator[None]:
    try:
        yield
    except asyncssh.HostKeyNotVerifiable:
        raise ConfigError(f"{name} shows a host key that known_hosts does not have; find out why first.") from None
    except asyncssh.PermissionDenied:
        raise ConfigError(f"{name} refuses us; check the user, and the key or password.") from None
    except (asyncssh.Error, TimeoutError, OSError) as error:
        raise _unreachable(name, type(error).__name__) from None


def _unreachable(name: str, why: str) -> Unavailable:
    return Unavailable(f"{name} cannot be reached ({why}); try again later.")
