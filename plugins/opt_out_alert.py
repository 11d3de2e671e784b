"""Posts every new opt-out to a URL, so that another system stops calling the person too.

    [plugins]
    enabled = ["opt_out_alert"]
    [plugins.opt_out_alert]
    url = { file = "alert.url" }       # a secret: such addresses often hold a token
    secret = { file = "alert.secret" } # signs each post (Standard Webhooks): echo "whsec_$(openssl rand -base64 32)"
    newest_days = 7                    # an opt-out that was longer ago when it became known is no news

Each opt-out is posted at least once, as JSON, with a ``webhook-id`` that is the same every time. With a secret it is
signed, which every library for Standard Webhooks can check. Any answer but 2xx means: again later.
"""

import time

from promptsync import (
    Change,
    ConfigError,
    Observer,
    ReadOnly,
    Settings,
    hookimpl,
    parse_iso,
    post_signed,
    signed_headers,
)

SECONDS = 5.0
DAY = 86_400_000_000


@hookimpl
def observers(settings: Settings) -> list[Observer]:
    """Called with contacts whose opt-out changed, a few at a time: what was posted before a failure is posted again."""
    url, secret = settings.secret("url").decode(), settings.secret("secret", b"")
    newest = settings.number("newest_days", 7.0) * DAY
    if not url.startswith(("https://", "http://")):
        raise ConfigError("plugins.opt_out_alert.url must hold an address that starts with https://")
    if secret:
        signed_headers(secret, "", b"", 0)  # a secret that is none is said at the start

    def on_change(changes: list[Change], mirror: ReadOnly) -> None:
        for change in changes:
            rows = mirror.rows(
                "SELECT id, org_id, phone, opt_out_timestamp AS opted_out_at FROM contact "
                "WHERE id = ? AND is_opted_out = 1",
                change.key,
            )
            for row in rows:
                if row["opted_out_at"] and parse_iso(row["opted_out_at"]) > time.time() * 1e6 - newest:
                    id_ = f"opt-out-{row['id']}-{row['opted_out_at']}"
                    post_signed(url, row, secret=secret, id_=id_, seconds=SECONDS)

    return [Observer("opt_outs", {"contact": ("is_opted_out",)}, on_change, batch=20, limit=20 * SECONDS + 20)]
