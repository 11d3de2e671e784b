"""The configured places of nightly exports and change sets: what they are called, and what opens them.

Owns the step from ``[[nightly]]`` and ``[[customerio]]`` to a place's settings. Secrets are opened here, when they are
needed, and go nowhere but into those settings.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from promptsync.clock import micros_of
from promptsync.config import Config, NightlyConfig, Secret
from promptsync.config.remotes import CustomerioConfig, PlaceConfig
from promptsync.errors import ConfigError
from promptsync.fetch.expected import task_of
from promptsync.places.place import Expected, PlaceSettings, public_name


@dataclass(frozen=True, slots=True)
class Source:
    """``name``: its location without user, password and query; what people, the ledger and sync_run call it."""

    name: str
    config: NightlyConfig | CustomerioConfig

    @property
    def section(self) -> str:
        """The section that it stands in."""
        return self.config.section

    @property
    def task(self) -> str:
        """What its runs are called in sync_run."""
        return task_of(self.name)


def sources_of(config: Config) -> tuple[Source, ...]:
    """Every ``[[nightly]]`` and ``[[customerio]]``. Raises ConfigError if two are the same place."""
    sources = tuple(Source(public_name(one.location), one) for one in _places(config))
    names = [source.name for source in sources]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"Two sections, [[nightly]] or [[customerio]], have the location {name}; keep one of them, or give "
                "each a folder of its own."
            )
    return sources


def source_names(config: Config) -> tuple[str, ...]:
    """What the configured places are called, without looking at anything else of them."""
    return tuple(dict.fromkeys(public_name(one.location) for one in _places(config)))


def _places(config: Config) -> tuple[NightlyConfig | CustomerioConfig, ...]:
    return (*config.nightly, *config.customerio)


def choose(sources: Sequence[Source], wanted: Iterable[str]) -> tuple[Source, ...]:
    """The sources that people name: by name or location, or by a part of it that only one has; all if none is named.

    Raises ConfigError.
    """
    if not sources:
        raise ConfigError(
            "No place to fetch from is configured; add a [[nightly]] or [[customerio]] section with its location."
        )
    chosen = [_named(sources, name) for name in wanted]
    return tuple(source for source in sources if source in chosen or not chosen)


def night_of(since: str | None, zone: ZoneInfo) -> int | None:
    """The instant at which a date begins in ``zone``, microseconds. Raises ConfigError."""
    if since is None:
        return None
    try:
        day = date.fromisoformat(since)
        return micros_of(datetime(day.year, day.month, day.day, tzinfo=zone))
    except (ValueError, OverflowError):
        raise ConfigError(f"--since {since} is not a date like 2026-02-04.") from None


def place_settings(remote: PlaceConfig, expected: tuple[Expected, ...] = ()) -> PlaceSettings:
    """What opens a place, its secrets revealed. Raises ConfigError."""
    return PlaceSettings(
        location=remote.location,
        endpoint=remote.endpoint,
        region=remote.region,
        access_key=_text(remote.access_key),
        secret_key=_text(remote.secret_key),
        password=_text(remote.password),
        private_key=remote.private_key.reveal() if remote.private_key else None,
        known_hosts=remote.known_hosts,
        allowed_hosts=frozenset(remote.allowed_hosts),
        expected=expected,
    )


def _named(sources: Sequence[Source], wanted: str) -> Source:
    exact = [source for source in sources if wanted in (source.name, source.config.location)]
    found = exact or [source for source in sources if wanted in source.name]
    if len(found) != 1:
        names = ", ".join(source.name for source in found or sources)
        what = "fits several of" if found else "is none of"
        raise ConfigError(f"'{wanted}' {what} the places configured: {names}.")
    return found[0]


def _text(secret: Secret | None) -> str | None:
    if secret is None:
        return None
    try:
        return secret.reveal().decode()
    except UnicodeDecodeError:
        raise ConfigError(f"the secret {secret} is not UTF-8 text") from None
