"""The configuration as models: every section, every key, every default; those of places elsewhere are in remotes.py.

Owns the shape; here alone a default stands (``config.example.toml`` repeats them and a test compares). Each
value has its unit in its type: sizes are bytes, durations ``timedelta``, paths absolute. Unknown keys are refused.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, PrivateAttr, StrictBool, StrictFloat, field_validator, model_validator
from pydantic import ValidationInfo as Info

from promptsync.config.browse import BrowseConfig
from promptsync.config.places import LocalPath, RequestPath
from promptsync.config.remotes import BackupConfig, CustomerioConfig, LakeConfig, NightlyConfig, QlaraConfig
from promptsync.config.secret import SecretField
from promptsync.config.section import Port, Section, Share, Text
from promptsync.config.values import Duration, Host, Period, PeriodField, Silence, Size, Zone, parse_period

_TOKEN_SIGNS = frozenset("!#$%&'*+-.^_`|~")


class MirrorConfig(Section):
    """``[mirror]``: the database, and the zone of schedules and of exported times that name none."""

    database: LocalPath = Path("data/mirror.db")
    timezone: Zone = ZoneInfo("America/Los_Angeles")


class BasicAuthConfig(Section):
    """A user and a password for HTTP Basic authentication."""

    user: Text
    password: SecretField

    @field_validator("user")
    @classmethod
    def _no_colon(cls, user: str) -> str:
        if ":" in user:
            raise ValueError("must not contain a colon")
        return user


class WebhookConfig(Section):
    """``[webhook]``: the listener. Port 0 lets the system choose one."""

    host: Host = "127.0.0.1"
    port: Port = 8642
    path: RequestPath = "/hooks/prompt"
    secrets: tuple[SecretField, ...] = ()
    basic_auth: BasicAuthConfig | None = None
    headers: dict[str, SecretField] = Field(default={})
    max_body: Size = 16 << 20
    allow_unauthenticated: StrictBool = False
    health: StrictBool = False

    @field_validator("headers", mode="before")
    @classmethod
    def _header_names(cls, headers: Any) -> Any:
        for name in headers if isinstance(headers, dict) else ():
            if not name or not all(sign.isascii() and (sign.isalnum() or sign in _TOKEN_SIGNS) for sign in name):
                raise ValueError(f"has a name that no HTTP header can have: '{name}'")
        return headers


class DropConfig(Section):
    """``[drop]``: the watched folder. A file is taken once unchanged for ``settle``; ``rescan`` is the truth.

    ``patience``: how long the missing end of a file is waited for after the last change.
    """

    folder: LocalPath = Path("drop")
    settle: Duration = timedelta(seconds=2)
    rescan: Duration = timedelta(seconds=10)
    patience: Duration = timedelta(minutes=10)


class LoadConfig(Section):
    """``[load]``: when a file is held for a person instead of merged.

    ``min_rows_share``: of the rows of the file before it. ``max_bad_rows_share``: of its own rows, if at least 10 are
    bad or half of them. ``max_raw_bytes``: of the decompressed content. ``max_ratio``: decompressed to compressed size.
    """

    min_rows_share: Share = 0.8
    max_bad_rows_share: Share = 0.01
    max_raw_bytes: Size = 64 << 30
    max_ratio: Annotated[StrictFloat, Field(ge=1, allow_inf_nan=False)] = 400.0


class PluginsConfig(Section):
    """``[plugins]``; a table ``[plugins.<name>]`` belongs to that plugin, which checks it itself.

    ``limit``: how long a plugin may take over one delivery, check or page.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, dict[str, Any]] = Field(init=False)

    folder: LocalPath = Path("plugins")
    enabled: tuple[Text, ...] = ()
    limit: Duration = timedelta(seconds=2)
    _base: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _remember_base(self, info: Info) -> Self:
        self._base = info.context["folder"] if info.context else Path()
        return self

    @property
    def base(self) -> Path:
        """Where relative paths in a plugin's own settings start: the configuration file's folder."""
        return self._base

    def settings(self, name: str) -> dict[str, Any]:
        """The keys of ``[plugins.<name>]``; empty without such a table."""
        return dict((self.__pydantic_extra__ or {}).get(name, {}))


class RetentionConfig(Section):
    """``[retention]``: how long deliveries, rejects, copies of loaded files and the texts of messages are kept.

    Every other key is what a table has declared that it may be kept by, most often its name.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, PeriodField] = Field(init=False)

    events: PeriodField = parse_period("30 days")
    rejects: PeriodField = parse_period("90 days")
    done_files: PeriodField = parse_period("30 days")
    message_content: PeriodField = parse_period("forever")

    @property
    def periods(self) -> dict[str, Period]:
        """Every key that is given or has a default, and its period."""
        return {name: getattr(self, name) for name in type(self).model_fields} | (self.__pydantic_extra__ or {})


class AlertsConfig(Section):
    """``[alerts]``: when the mirror counts as stale, and an address to call while it is not. ``webhook_stale_after``:
    for how long no delivery may come; auto: twice the longest silence of the last four weeks, at least a day."""

    stale_after: Duration = timedelta(hours=36)
    webhook_stale_after: Silence = "auto"
    healthcheck_url: SecretField | None = None


class LogConfig(Section):
    """``[log]``: what a service says, and how; auto: text for a terminal and for systemd's journal, else JSON."""

    format: Literal["auto", "text", "json"] = "auto"
    level: Literal["error", "warning", "info", "debug"] = "info"


class Config(Section):
    """The whole configuration. A section that is not given has its defaults; ``qlara`` is None, the lists are empty."""

    mirror: MirrorConfig = MirrorConfig()
    webhook: WebhookConfig = WebhookConfig()
    drop: DropConfig = DropConfig()
    load: LoadConfig = LoadConfig()
    nightly: tuple[NightlyConfig, ...] = ()
    qlara: QlaraConfig | None = None
    customerio: tuple[CustomerioConfig, ...] = ()
    browse: BrowseConfig = BrowseConfig()
    plugins: PluginsConfig = PluginsConfig()
    backup: BackupConfig = BackupConfig()
    lake: LakeConfig | None = None
    retention: RetentionConfig = RetentionConfig()
    alerts: AlertsConfig = AlertsConfig()
    log: LogConfig = LogConfig()

    @field_validator("drop")
    @classmethod
    def _apart(cls, drop: DropConfig, info: Info) -> DropConfig:
        mirror = info.data.get("mirror")
        if mirror is not None and mirror.database.parent.is_relative_to(drop.folder):
            raise ValueError(f"must have a folder of its own: {drop.folder} is where the mirror is")
        return drop

    @classmethod
    def read(cls, data: dict[str, Any], folder: Path) -> Self:
        """The configuration of parsed TOML; relative paths start at ``folder``. Raises pydantic's ValidationError."""
        given = {name: {} for name, field in cls.model_fields.items() if isinstance(field.default, Section)} | data
        return cls.model_validate(given, context={"folder": folder})
