"""Posting to other systems with a signature that they can check: Standard Webhooks.

Owns the headers and what of a failure may be said (never the address, which often holds a token). The scheme is that of
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: ``webhook-id``,
``webhook-timestamp`` and ``webhook-signature``, HMAC-SHA256 over the three of them and the body. Knows no plugin.
"""

import base64
import binascii
import hashlib
import hmac
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping

from promptsync.errors import ConfigError
from promptsync.plugins.declared import PluginError

_PREFIX = b"whsec_"
_LEAST, _MOST = 24, 64  # bytes of a secret


def signed_headers(secret: bytes, id_: str, body: bytes, at: int) -> dict[str, str]:
    """The headers of a post. ``secret``: ``whsec_`` and its bytes in base64, as receivers hand it out; ``id_``: the
    same each time that this is sent, so that it counts once; ``at``: when it is sent, seconds since 1970.

    Raises ConfigError for a secret that is none.
    """
    signed = b".".join((id_.encode(), str(at).encode(), body))
    digest = hmac.digest(_key(secret), signed, hashlib.sha256)
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": id_, "webhook-timestamp": str(at), "webhook-signature": signature}


def post_signed(url: str, body: Mapping[str, object], *, secret: bytes = b"", id_: str, seconds: float = 5.0) -> None:
    """Post a JSON body, signed if there is a ``secret``; ``webhook-id`` is always there. ``seconds``: for the answer.

    Raises PluginError, without the address, unless the answer is 2xx: raise it on, and it is sent again later. No
    redirect is followed.
    """
    if not url.startswith(("https://", "http://")):
        raise PluginError("the address does not start with https://")
    content, at = json.dumps(body).encode(), int(time.time())
    headers = signed_headers(secret, id_, content, at) if secret else {"webhook-id": id_, "webhook-timestamp": str(at)}
    try:
        request = urllib.request.Request(url, content, {"Content-Type": "application/json", **headers})  # noqa: S310
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=seconds):
            pass
    except urllib.error.HTTPError as error:
        error.close()
        hint = ", a redirect: give the address that it leads to" if 300 <= error.code < 400 else ""
        raise PluginError(f"the receiver answered {error.code}{hint}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:  # their messages may quote the address
        raise PluginError(f"the receiver cannot be reached ({type(error).__name__})") from None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: followed, a post becomes a GET without its body, and is delivered to nobody."""

    def redirect_request(self, *_: object) -> None:
        return None


def _key(secret: bytes) -> bytes:
    text = secret.strip()
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(_PREFIX) or not _LEAST <= len(key) <= _MOST:
        raise ConfigError(
            'a signing secret is whsec_ and 24 to 64 bytes in base64, such as: echo "whsec_$(openssl rand -base64 32)"'
        )
    return key
