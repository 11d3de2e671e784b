"""What an object store says of an object beside its bytes: the MD5 that can be relied on.

Owns which answers mean an MD5 and which only look like one. The answer's headers are asked for with a signed address,
because obstore does not hand them out.

S3: an ETag of 32 hex digits is the MD5 of an object that was put in one part, unless it is encrypted by a key of AWS
KMS or of the customer (Amazon S3, Common Response Headers). Azure: ``Content-MD5`` (Get Blob Properties).
"""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Literal

import aiohttp
import obstore
from obstore import exceptions as foreign
from obstore.store import AzureStore, GCSStore, S3Store

from promptsync.errors import Unavailable

_MD5: Final = re.compile(r'"?([0-9a-fA-F]{32})"?')
_VALID: Final = timedelta(minutes=5)
_ENCRYPTION: Final = "x-amz-server-side-encryption"
_PLAIN: Final = ("", "AES256")


def md5_of_etag(tag: str) -> str | None:
    """The 32 hex digits of an ETag that may be an MD5; None of one that is none, such as that of several parts.

    >>> md5_of_etag('"900150983CD24FB0D6963F7D28E17F72"'), md5_of_etag('"900150983cd24fb0d6963f7d28e17f72-3"')
    ('900150983cd24fb0d6963f7d28e17f72', None)
    """
    match = _MD5.fullmatch(tag)
    return match[1].lower() if match else None


def etag_is_md5(headers: Mapping[str, str]) -> bool:
    """Whether S3's headers of an object say that its ETag, in the form of an MD5, is one."""
    customer = any(name.lower().startswith(f"{_ENCRYPTION}-customer") for name in headers)
    return not customer and headers.get(_ENCRYPTION, "") in _PLAIN


def content_md5(headers: Mapping[str, str]) -> str | None:
    """The digest of a ``Content-MD5`` header (RFC 1864), hex."""
    try:
        digest = base64.b64decode(headers.get("Content-MD5", ""), validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest.hex() if len(digest) == 16 else None


async def headers_of(store: S3Store | GCSStore | AzureStore, key: str, stall: float) -> Mapping[str, str]:
    """The headers that the store sends with an object; none where no address can be signed. Raises Unavailable."""
    may: Literal["GET", "HEAD"] = "GET" if isinstance(store, AzureStore) else "HEAD"  # Azure: to read, in either way
    try:
        address = await obstore.sign_async(store, may, key, _VALID)
    except (foreign.BaseError, ValueError, NotImplementedError):
        return {}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=stall)) as session,
            session.head(address, allow_redirects=False) as answer,
        ):
            return answer.headers if answer.status == 200 else {}
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(f"The store does not say what {key} is ({type(error).__name__}); try again later.") from None
