"""Posts every new opt-out to a URL, so that another system stops calling the person too.

    [plugins]
    enabled = ["opt_out_alert"]
    [plugins.opt_out_alert]
    url = { file = "alert.url" }    # a secret: such addresses often hold a token
    newest_days = 7                 # an opt-out that was longer ago when it became known is no news

Each opt-out is posted at least once, as JSON with an ``Idempotency-Key`` header that is the same every time. Any answer
but 2xx means: again later.
"""

import json
import time
import urllib.error
import urllib.request

from promptsync import Change, ConfigError, Observer, PluginError, ReadOnly, Settings, hookimpl, parse_iso

SECONDS = 5.0
DAY = 86_400_000_000


@hookimpl
def observers(settings: Settings) -> list[Observer]:
    """Told of contacts whose opt-out changed, a few at a time: what was posted before a failure is posted again."""
    url = settings.secret("url").decode()
    newest = settings.number("newest_days", 7.0) * DAY
    if not url.startswith(("https://", "http://")):
        raise ConfigError("plugins.opt_out_alert.url must hold an address that starts with https://")

    def told(changes: list[Change], mirror: ReadOnly) -> None:
        for change in changes:
            rows = mirror.rows(
                "SELECT id, org_id, phone, opt_out_timestamp AS opted_out_at FROM contact "
                "WHERE id = ? AND is_opted_out = 1",
                change.key,
            )
            for row in rows:
                if row["opted_out_at"] and parse_iso(row["opted_out_at"]) > time.time() * 1e6 - newest:
                    post(url, row)

    return [Observer("opt_outs", {"contact": ("is_opted_out",)}, told, batch=20, limit=20 * SECONDS + 20)]


def post(url: str, row: dict[str, object]) -> None:
    """Post one opt-out. Raises PluginError, without the address, unless it is taken."""
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": f"opt-out-{row['id']}-{row['opted_out_at']}",
    }
    request = urllib.request.Request(url, json.dumps(row).encode(), headers)  # noqa: S310  the scheme is checked above
    try:
        with urllib.request.urlopen(request, timeout=SECONDS):  # noqa: S310
            pass
    except urllib.error.HTTPError as error:
        error.close()
        raise PluginError(f"the receiver answered {error.code}") from None
    except OSError as error:
        raise PluginError(f"the receiver cannot be reached ({type(error).__name__})") from None
