"""``[browse]``: where the pages are served, at which address people open them, and who may.

Owns the keys of that section and what is wrong with their values. Opens no secret.
"""

from ipaddress import ip_network
from urllib.parse import urlsplit

from pydantic import Field, StrictBool, field_validator
from pydantic import ValidationInfo as Info

from promptsync.config.secret import Secret, SecretField
from promptsync.config.section import Port, Section, Text
from promptsync.config.values import Host, is_loopback, suggest


class BrowseConfig(Section):
    """``[browse]``: the pages. ``users`` holds password hashes; ``admins`` of them may run SQL.

    ``address``: as people open the pages behind a proxy; its path is the prefix of every page. ``secret``: signs
    cookies. ``tokens``: what monitors send to read how fresh the mirror is. ``trusted_proxies``: addresses and networks
    whose ``X-Forwarded-For`` is believed.
    """

    host: Host = "127.0.0.1"
    port: Port = 8643
    address: Text | None = None
    secret: SecretField | None = None
    users: dict[Text, SecretField] = Field(default={})
    admins: tuple[Text, ...] = ()
    tokens: dict[Text, SecretField] = Field(default={})
    trusted_proxies: tuple[Text, ...] = ()
    anonymous: StrictBool = False

    @field_validator("address")
    @classmethod
    def _is_address(cls, address: str | None) -> str | None:
        if address is None:
            return None
        try:
            parts = urlsplit(address)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable or parts.query or parts.fragment or parts.username is not None:
            raise ValueError('must be an address such as "https://prompt.example.org/mirror/"')
        return address.rstrip("/") + "/"

    @field_validator("admins")
    @classmethod
    def _are_users(cls, admins: tuple[str, ...], info: Info) -> tuple[str, ...]:
        users: dict[str, Secret] | None = info.data.get("users")
        for admin in admins:
            if users is not None and admin not in users:
                raise ValueError(f"names '{admin}', who is not in users{suggest(admin, users)}")
        return admins

    @field_validator("trusted_proxies")
    @classmethod
    def _are_addresses(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            try:
                ip_network(proxy, strict=False)
            except ValueError:
                raise ValueError(f"names '{proxy}', which is no address: write 127.0.0.1, or 10.0.0.0/8") from None
        return proxies

    @field_validator("anonymous")
    @classmethod
    def _only_here(cls, anonymous: bool, info: Info) -> bool:
        host = info.data.get("host")
        if anonymous and host is not None and not is_loopback(host):
            raise ValueError(f"may be true only on a loopback host, and {host} can be reached from elsewhere")
        return anonymous
