"""The configuration as models: every section, every key, every default.

Owns the shape; the only place where a default stands (``config.example.toml`` repeats them and a test compares). Each
value has its unit in its type: sizes are bytes, durations ``timedelta``, paths absolute. Unknown keys are refused.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    ConfigDict,
    Field,
    PrivateAttr,
    StrictBool,
    StrictFloat,
    StrictInt,
    field_validator,
    model_validator,
)
from pydantic import ValidationInfo as Info

from promptsync.config.browse import BrowseConfig
from promptsync.config.places import (
    AllowedHost,
    FolderBelow,
    LocalPath,
    Location,
    Recipient,
    RequestPath,
    WebAddress,
    plain_http_problem,
)
from promptsync.config.schedules import Cron, Schedule
from promptsync.config.secret import SecretField
from promptsync.config.section import Port, Section, Share, Text
from promptsync.config.values import Duration, Host, Period, PeriodField, Silence, Size, Zone, parse_period

_TOKEN_SIGNS = frozenset("!#$%&'*+-.^_`|~")


def _checked_http(address: str | None, info: Info) -> str | None:
    problem = plain_http_problem(address, info.data.get("allowed_hosts", ())) if address else None
    if problem:
        raise ValueError(problem)
    return address


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


class PlaceConfig(Section):
    """Where files are, and what opens the door there: ``[[nightly]]``, ``[[customerio]]``, ``[backup]``."""

    allowed_hosts: tuple[AllowedHost, ...] = ()
    location: Location
    endpoint: WebAddress | None = None
    region: Text | None = None
    access_key: SecretField | None = None
    secret_key: SecretField | None = None
    password: SecretField | None = None
    private_key: SecretField | None = None
    known_hosts: LocalPath | None = None

    @field_validator("location", "endpoint")
    @classmethod
    def _encrypted(cls, address: str | None, info: Info) -> str | None:
        return _checked_http(address, info)


class RemoteConfig(PlaceConfig):
    """A place that files are fetched from.

    ``check_md5``: a copy must have the MD5 that the place states, where it states one.
    """

    check_md5: StrictBool = True


class NightlyConfig(RemoteConfig):
    """``[[nightly]]``: a place of nightly exports and when to look there."""

    section: ClassVar[str] = "nightly"

    schedule: Cron = Schedule("30 2 * * *")

    @property
    def when(self) -> Schedule:
        """When it is looked at."""
        return self.schedule


class QlaraConfig(Section):
    """``[qlara]``: the export API. An export without a schedule is made on request only."""

    allowed_hosts: tuple[AllowedHost, ...] = ()
    base_url: WebAddress = "https://lora-api.agiletelecom.com/api/partner-gateway/v1"
    api_key: SecretField
    contacts: Cron | None = None
    delivery_reports: Cron | None = None
    messages: Cron | None = None

    @field_validator("base_url")
    @classmethod
    def _encrypted(cls, address: str, info: Info) -> str:
        return _checked_http(address, info) or address


class CustomerioConfig(RemoteConfig):
    """``[[customerio]]``: a place of Customer.io's change sets, how often to look, and the tables to leave alone.

    ``move_after_load``: a folder below the location. ``stems``: what file names begin with, to the table meant.
    ``leave_out``: table to columns that are not wanted. ``content_budget``: bytes that delivery_content may bring.
    """

    section: ClassVar[str] = "customerio"

    every: Duration = timedelta(minutes=15)
    skip: tuple[Text, ...] = ("delivery_content",)
    downloads: Annotated[StrictInt, Field(ge=1, le=64)] = 4
    delete_after_load: StrictBool = False
    move_after_load: FolderBelow | None = None
    stems: dict[Text, Text] = Field(default={})
    leave_out: dict[Text, tuple[Text, ...]] = Field(default={})
    content_budget: Size | None = None

    @property
    def when(self) -> timedelta:
        """How often it is looked at."""
        return self.every

    @field_validator("delete_after_load", "move_after_load")
    @classmethod
    def _can_change(cls, wanted: bool | str | None, info: Info) -> bool | str | None:
        if wanted and (info.data.get("location") or "").startswith(("https://", "http://")):
            raise ValueError("is not possible: a web server only hands out files; remove it, or use another place")
        if wanted and info.data.get("delete_after_load"):
            raise ValueError("is given beside delete_after_load, keep one of them")
        return wanted


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


class KeepConfig(Section):
    """``keep`` of ``[backup]``: how many of the newest days and weeks keep a backup, the newest of each."""

    daily: Annotated[StrictInt, Field(ge=1, le=10_000)] = 7
    weekly: Annotated[StrictInt, Field(ge=0, le=10_000)] = 4


class BackupConfig(PlaceConfig):
    """``[backup]``: encrypted backups. Without ``recipient`` or ``passphrase`` none are made.

    ``recipient``: an age public key. ``identity``: the private key that belongs to it. With a passphrase too, either
    opens them. ``every``: how often what was received is shipped between backups.
    """

    location: Location = "backups"
    schedule: Cron = Schedule("0 4 * * *")
    recipient: Recipient | None = None
    passphrase: SecretField | None = None
    identity: SecretField | None = None
    every: Duration = timedelta(minutes=1)
    keep: KeepConfig = KeepConfig()

    @property
    def on(self) -> bool:
        """Whether backups are made."""
        return self.recipient is not None or self.passphrase is not None

    @field_validator("location")
    @classmethod
    def _can_be_written(cls, location: str) -> str:
        if location.startswith(("https://", "http://")):
            raise ValueError(
                "is a web server, which only hands out files: write s3://, gs://, az://, sftp:// or a path"
            )
        return location


class LakeConfig(PlaceConfig):
    """``[lake]``: where the Delta tables are, beyond one machine. ``engine``: what folds; ``master``: the address of
    Spark's cluster, "" if the process is started for one; ``buckets``: into how many parts organizations are divided,
    fixed when the lake is made; ``every``: of ``lake run --forever``. ``keep_deliveries``: how long files of deliveries
    stay after they were folded."""

    engine: Literal["duckdb", "spark"] = "duckdb"
    master: str = ""
    buckets: Annotated[StrictInt, Field(ge=1, le=4_096)] = 64
    every: Duration = timedelta(minutes=15)
    keep_deliveries: PeriodField = parse_period("30 days")

    @field_validator("location")
    @classmethod
    def _can_hold_tables(cls, location: str) -> str:
        if location.startswith(("https://", "http://", "sftp://")):
            raise ValueError("cannot hold Delta tables: write s3://, gs://, az:// or a path")
        return location


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
