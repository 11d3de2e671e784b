"""The lake that a configuration names.

Owns the step from ``[lake]`` to its storage. Needs none of the lake's libraries: a listener has to do without.
"""

from promptsync.config import Config, LakeConfig
from promptsync.errors import ConfigError
from promptsync.fetch.sources import place_settings
from promptsync.lake.storage import Storage


def section_of(config: Config) -> LakeConfig:
    """``[lake]``. Raises ConfigError if there is none."""
    if config.lake is None:
        raise ConfigError(
            "No lake is configured: add a section [lake] with its location, a folder or s3://bucket/prefix; "
            "'promptsync help lake' says more."
        )
    return config.lake


def master_of(config: Config) -> str:
    """Where Spark's cluster is; "" if the process is started for one."""
    section: LakeConfig = section_of(config)
    return section.master


def storage_of(config: Config) -> Storage:
    """Where it is. Raises ConfigError."""
    return Storage(place_settings(section_of(config)))
