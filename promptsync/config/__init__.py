"""The configuration file: its models, finding and loading it, secrets.

Owns everything between TOML and typed values; pydantic is used here and nowhere else. Knows no other part of promptsync
but the error tree; which file is read, the commands say.
"""

from promptsync.config.access import WebhookAccess, open_access, require_authentication
from promptsync.config.browse import BrowseConfig
from promptsync.config.load import InvalidConfig, Problem, load_config
from promptsync.config.remotes import (
    BackupConfig,
    CustomerioConfig,
    LakeConfig,
    NightlyConfig,
    QlaraConfig,
    RemoteConfig,
)
from promptsync.config.schedules import Schedule
from promptsync.config.secret import Secret
from promptsync.config.sections import (
    AlertsConfig,
    BasicAuthConfig,
    Config,
    DropConfig,
    LoadConfig,
    MirrorConfig,
    PluginsConfig,
    RetentionConfig,
    WebhookConfig,
)
from promptsync.config.values import Period, is_loopback

__all__ = [
    "AlertsConfig",
    "BackupConfig",
    "BasicAuthConfig",
    "BrowseConfig",
    "Config",
    "CustomerioConfig",
    "DropConfig",
    "InvalidConfig",
    "LakeConfig",
    "LoadConfig",
    "MirrorConfig",
    "NightlyConfig",
    "Period",
    "PluginsConfig",
    "Problem",
    "QlaraConfig",
    "RemoteConfig",
    "RetentionConfig",
    "Schedule",
    "Secret",
    "WebhookAccess",
    "WebhookConfig",
    "is_loopback",
    "load_config",
    "open_access",
    "require_authentication",
]
