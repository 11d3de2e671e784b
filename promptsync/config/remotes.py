"""The sections that name a place elsewhere: where files are fetched, backups are put, and a lake is.

Owns what they have in common, the address and what opens the door there, and what no such address may be.
"""

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictBool, StrictInt, field_validator
from pydantic import ValidationInfo as Info

from promptsync.config.places import (
    AllowedHost,
    FolderBelow,
    LocalPath,
    Location,
    Recipient,
    WebAddress,
    plain_http_problem,
)
from promptsync.config.schedules import Cron, Schedule
from promptsync.config.secret import SecretField
from promptsync.config.section import Section, Text
from promptsync.config.values import Duration, PeriodField, Size, parse_period


def _checked_http(address: str | None, info: Info) -> str | None:
    problem = plain_http_problem(address, info.data.get("allowed_hosts", ())) if address else None
    if problem:
        raise ValueError(problem)
    return address


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
