"""Places: folders on this machine, remote locations, host lists, the webhook's path, whom a backup is encrypted to.

Owns how they are spelled and that relative ones start at the configuration file's folder. Pure: looks nothing up on
disk or in the network. Every function raises ValueError with a sentence part ready to follow a key.
"""

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import BeforeValidator, ValidationInfo

from promptsync.config.values import is_loopback, parse_host, suggest

SCHEMES = ("s3", "gs", "az", "sftp", "https", "http")
"""Of a remote location; ``http`` only where ``plain_http_problem`` lets it."""
_MAX_PATH = 200
_RECIPIENT = re.compile(r"age1[02-9ac-hj-np-z]{58}", re.ASCII)


def parse_path(value: object, info: ValidationInfo) -> Path:
    """A path on this machine, ``~`` expanded, relative to the configuration file's folder."""
    if isinstance(value, Path):
        value = str(value)
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("must be a path on this machine")
    if "://" in value:
        raise ValueError("must be a path on this machine, not an address")
    try:
        path = Path(value).expanduser()
    except RuntimeError:
        raise ValueError("starts with ~, and this user has no home folder: write the whole path") from None
    return info.context["folder"] / path if info.context else path


def parse_location(value: object, info: ValidationInfo) -> str:
    """Where files lie: an address with one of ``SCHEMES``, or a path, which comes back whole."""
    if not isinstance(value, str) or not value:
        raise ValueError('must be a location such as "s3://bucket/prefix" or a path')
    if "://" not in value:
        return str(parse_path(value, info))
    parts = _split(value)
    if parts.scheme not in SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES[:-1])
        raise ValueError(f"has an unknown scheme{suggest(parts.scheme, SCHEMES)}; write {known} or a path")
    return value


def parse_web_address(value: object) -> str:
    """An ``http://`` or ``https://`` address without query; a trailing slash is dropped."""
    if not isinstance(value, str):
        raise ValueError('must be an address such as "https://host/path"')
    parts = _split(value)
    if parts.scheme not in ("https", "http") or parts.query or parts.fragment:
        raise ValueError('must be an address such as "https://host/path", without ? and #')
    return value.rstrip("/")


def parse_request_path(value: object) -> str:
    """The path that deliveries are sent below: ``/hooks/prompt``; a trailing slash is dropped, ``/`` stays."""
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError('must be a path that starts with a slash, such as "/hooks/prompt"')
    if not (value.isascii() and value.isprintable()) or any(sign in value for sign in ' ?#%\\"<>') or "//" in value:
        raise ValueError("must be a plain path: no spaces, no %, ? or #, no doubled slashes")
    if len(value) > _MAX_PATH or value == "/-" or value.startswith("/-/"):
        raise ValueError(f"must have at most {_MAX_PATH} characters and not start with /-/")
    return value.rstrip("/") or "/"


def parse_folder_below(value: object) -> str:
    """A folder below a location, ``loaded`` or ``old/loaded``; slashes around it are dropped."""
    folder = value.strip("/") if isinstance(value, str) else ""
    if not folder or not folder.isprintable() or any(part in ("", ".", "..") for part in folder.split("/")):
        raise ValueError('must be a folder below the location, such as "loaded"')
    if any(part.startswith(".") for part in folder.split("/")) or len(folder) > _MAX_PATH:
        raise ValueError("must not be hidden (begin with a dot) nor longer than 200 characters")
    return folder


def plain_http_problem(address: str, allowed_hosts: tuple[str, ...]) -> str | None:
    """Why ``address`` may not be used without encryption; None when it may (https, loopback or an allowed host)."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    if parts.scheme != "http" or is_loopback(host) or host in allowed_hosts:
        return None
    return "sends everything unencrypted: write https://, or add the host to allowed_hosts"


def parse_recipient(value: object) -> str:
    """An age public key, ``age1...`` (age-encryption.org/v1, X25519: Bech32 of 32 bytes)."""
    text = value.strip() if isinstance(value, str) else ""
    if text.upper().startswith("AGE-SECRET-KEY-"):
        raise ValueError("is the private key, which belongs into no configuration: write the public one, 'age1...'")
    if not _RECIPIENT.fullmatch(text):
        raise ValueError("must be an age public key such as \"age1...\"; 'age-keygen -o backup.key' prints one")
    return text


def _split(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        raise ValueError("is not an address that can be read") from None
    if not parts.hostname or any(sign.isspace() for sign in address):
        raise ValueError("names no host or bucket, or has spaces in it")
    if parts.password is not None:
        raise ValueError("holds a password, move it to a secret key of this section")
    return parts


def _parse_allowed_host(value: object) -> str:
    return parse_host(value).lower()


LocalPath = Annotated[Path, BeforeValidator(parse_path)]
Location = Annotated[str, BeforeValidator(parse_location)]
WebAddress = Annotated[str, BeforeValidator(parse_web_address)]
RequestPath = Annotated[str, BeforeValidator(parse_request_path)]
FolderBelow = Annotated[str, BeforeValidator(parse_folder_below)]
Recipient = Annotated[str, BeforeValidator(parse_recipient)]
AllowedHost = Annotated[str, BeforeValidator(_parse_allowed_host)]
