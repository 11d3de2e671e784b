"""Who may deliver to the webhook: opened secrets, and the rule that someone must be asked.

Owns the step from ``[webhook]`` to bytes to compare with. The daemon takes it; loading a configuration and browsing do
not, so they work without these secrets.
"""

from dataclasses import dataclass, field

from promptsync.config.sections import WebhookConfig
from promptsync.config.values import is_loopback
from promptsync.errors import ConfigError


@dataclass(frozen=True, slots=True)
class WebhookAccess:
    """What a delivery must show. ``basic``: user, password. ``headers``: name, value. ``open_to_all``: nothing."""

    secrets: tuple[bytes, ...] = field(repr=False)
    basic: tuple[bytes, bytes] | None = field(repr=False)
    headers: tuple[tuple[str, bytes], ...] = field(repr=False)
    open_to_all: bool


def require_authentication(webhook: WebhookConfig) -> None:
    """Fails closed: raises ConfigError without a secret or basic_auth, unless allowed and the host is loopback."""
    if webhook.secrets or webhook.basic_auth:
        return
    if not webhook.allow_unauthenticated:
        raise ConfigError(
            "anyone could deliver: give webhook.secrets or webhook.basic_auth (on a loopback host "
            "webhook.allow_unauthenticated = true lets everyone in)"
        )
    if not is_loopback(webhook.host):
        raise ConfigError(
            f"webhook.allow_unauthenticated is for a loopback host and {webhook.host} can be reached from elsewhere: "
            "give webhook.secrets, or listen on 127.0.0.1"
        )


def open_access(webhook: WebhookConfig) -> WebhookAccess:
    """The opened secrets of ``[webhook]``. Raises ConfigError when one cannot be opened or anyone could deliver."""
    require_authentication(webhook)
    basic = webhook.basic_auth
    return WebhookAccess(
        secrets=tuple(secret.reveal() for secret in webhook.secrets),
        basic=(basic.user.encode(), basic.password.reveal()) if basic else None,
        headers=tuple((name, secret.reveal()) for name, secret in webhook.headers.items()),
        open_to_all=not (webhook.secrets or basic),
    )
