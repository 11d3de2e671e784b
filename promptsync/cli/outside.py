"""What has to be set up outside promptsync for a configuration, ready to paste: the endpoint at Prompt, a proxy.

Owns the words for the endpoint, and the step from the blocks in ``docs/proxy.md``, the only place where they are
written, to a configuration's own ports, paths and sizes. Writes nothing.
"""

import re
from importlib.resources import files
from typing import Final

from promptsync.config import Config

YOUR_HOST: Final = "YOUR-HOST"
_BLOCK: Final = re.compile(r"^```([a-z-]+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_MIB: Final = 1 << 20


def endpoint_address(config: Config) -> str:
    """Where deliveries are to be sent, as far as a machine can know it."""
    return f"https://{YOUR_HOST}{config.webhook.path}"


def endpoint(config: Config, secret: str) -> str:
    """What to enter at Prompt, several lines. ``secret``: "this secret:" with the secret below, or where it is."""
    webhook = config.webhook
    return f"""\
At Prompt, enter the event endpoint:
  URL     {endpoint_address(config)}
          ({YOUR_HOST}: your server's name, with a proxy that passes https on to {webhook.host}:{webhook.port})
  Signature, header X-Hub-Signature: enable it, with {secret}"""


def proxy_blocks(config: Config, host: str = "prompt.example.org", prefix: str = "/mirror/") -> dict[str, str]:
    """By ``caddy`` and ``caddy-prefix`` a site of Caddy; by ``nginx`` and ``nginx-prefix`` a part of ``server``.

    ``host``: the name that people and vendors use. ``prefix``: of the pages, with a slash at both ends.
    """
    webhook, browse = config.webhook, config.browse
    own = {
        "prompt.example.org": host,
        "127.0.0.1:8642": _address(webhook.host, webhook.port),
        "127.0.0.1:8643": _address(browse.host, browse.port),
        "/hooks/prompt/": f"{webhook.path.rstrip('/')}/",
        " /mirror ": f" {prefix.rstrip('/')} ",
        "/mirror/": prefix,
        "client_max_body_size 16m": f"client_max_body_size {-(-webhook.max_body // _MIB)}m",
    }
    example = re.compile("|".join(map(re.escape, own)))
    text = files("promptsync").joinpath("docs", "proxy.md").read_text("utf-8")
    return {kind: example.sub(lambda found: own[found[0]], block) for kind, block in _BLOCK.findall(text)}


def _address(host: str, port: int) -> str:
    """Where a proxy on the same machine reaches it: one that listens everywhere, at the machine itself."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  nothing is bound here
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
