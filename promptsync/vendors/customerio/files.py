"""What the name of a Customer.io change set states, and what the configuration says of such files.

Owns the spelling of names (Customer.io, Data warehouse sync, files v4 and v5): table, workspace and place in the
vendor's order; which objects beside them are none; and the step from the sections ``[[customerio]]`` to names of files
and columns that are not wanted. Pure: never looks at a file's content, nor at its folder.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from promptsync.errors import InputRefused
from promptsync.model.file_name import ChangeSetName

STEMS: Mapping[str, str] = MappingProxyType(
    {
        "deliveries": "cio_deliveries",
        "delivery_content": "cio_delivery_content",
        "delivery_contents": "cio_delivery_content",
        "metrics": "cio_metrics",
        "outputs": "cio_outputs",
        "people": "cio_people",
        "subjects": "cio_subjects",
        "attributes": "cio_attributes",
        "campaigns": "cio_campaigns",
        "actions": "cio_actions",
        "campaign_actions": "cio_actions",
        "broadcasts": "cio_broadcasts",
        "object": "cio_objects",
        "objects": "cio_objects",
        "object_types": "cio_object_types",
        "object_attributes": "cio_object_attributes",
        "events": "cio_events",
        "inbound": "cio_inbound",
    }
)
"""What names begin with, to the table that is meant: as documented, and as seen in buckets."""

_OLDEST = 4
_MOST = (1 << 63) - 1
_CHANGES = "_chngs"
SUFFIX = ".parquet"
_NAME = re.compile(
    r"(?P<stem>.+)_v(?P<version>0|[1-9][0-9]{0,8})(?P<changes>_chngs)?"
    r"_(?P<workspace>[0-9]{1,19})_(?P<sequence>[0-9]{1,19})(?:_(?P<part>[0-9]{1,19}))?"
)
_WITHOUT_VERSION = re.compile(r"(?P<stem>.+?)(?:_[0-9]{1,19}){1,3}")
_PIPELINES = re.compile(r"[0-9]+(\.[0-9]+)+\.[a-z_]+\.(json|csv|parquet)(\.gz)?")
CHECK: Final = "cio-validate"
"""What the vendor writes before each sync, to see whether it may."""


def own_mark(file_name: str) -> str | None:
    """What a file is that the vendor writes for itself, a sentence; None if it is none (Customer.io, Data warehouse
    sync, "Each sync includes a cio-validate file").

    >>> own_mark("exports/cio-validate")
    'cio-validate is Customer.io\'s own check that it may write here: it holds no data and is left alone.'
    """
    if _last(file_name) != CHECK:
        return None
    return f"{CHECK} is Customer.io's own check that it may write here: it holds no data and is left alone."


def parse_change_set(file_name: str, stems: Mapping[str, str] = STEMS) -> ChangeSetName:
    """Reads ``<stem>_v<version>_<workspace>_<sequence>[_<part>].parquet``, ``_chngs`` before or after the version.

    ``stems``: whole stem to table name. Folders in front of the name do not matter. Raises InputRefused
    ``old_version`` (files before v4), ``other_product`` and ``unknown_name``.

    >>> parse_change_set("people_v5_chngs_111528_241600000000311123.parquet")
    ChangeSetName(table='cio_people', workspace=111528, version=5, sequence=241600000000311123, part=0, changes=True)
    """
    name = _last(file_name)
    if _PIPELINES.fullmatch(name):
        raise InputRefused(
            "other_product",
            f"{name} comes from Customer.io's Data Pipelines (track, identify and other calls), not from its data "
            "warehouse sync, whose files end in .parquet: give the two a folder each.",
        )
    if not name.lower().endswith(SUFFIX):
        raise _unknown(name, "it does not end in .parquet")
    bare = name[: -len(SUFFIX)]
    match = _NAME.fullmatch(bare)
    if match is None:
        raise _unversioned(name, bare, stems)
    stem, changes = _stem(match, stems)
    if stem not in stems:
        raise _unknown(name, f"no table has files that begin with {stem}; the setting stems can name one")
    if int(match["version"]) < _OLDEST:
        raise _old(name, f"v{match['version']}")
    numbers = [int(match[part] or 0) for part in ("workspace", "sequence", "part")]
    if max(numbers) > _MOST:
        raise _unknown(name, "a number in it does not fit into 64 bits")
    return ChangeSetName(stems[stem], numbers[0], int(match["version"]), numbers[1], numbers[2], changes)


def recognise(file_name: str, stems: Mapping[str, str] = STEMS) -> ChangeSetName | None:
    """What a name states; None if it is not of this vendor's. Raises InputRefused for one of its that says nothing, is
    of an old version or of another product of the vendor's."""
    try:
        return parse_change_set(file_name, stems)
    except InputRefused as refused:
        if refused.reason == "unknown_name" and not file_name.lower().endswith(SUFFIX):
            return None
        raise


def _stem(match: re.Match[str], stems: Mapping[str, str]) -> tuple[str, bool]:
    """The stem, and whether the name says ``chngs``. A stem that itself ends so counts first, as the longer one."""
    stem, changes = match["stem"], match["changes"] is not None
    if stem in stems or changes or not stem.endswith(_CHANGES):
        return stem, changes
    return stem.removesuffix(_CHANGES), True


def _unversioned(name: str, bare: str, stems: Mapping[str, str]) -> InputRefused:
    match = _WITHOUT_VERSION.fullmatch(bare)
    if match and match["stem"].removesuffix(_CHANGES) in stems:
        return _old(name, "v1")
    return _unknown(name, "it is not like people_v5_111528_241600000000311123.parquet")


def _old(name: str, version: str) -> InputRefused:
    return InputRefused(
        "old_version",
        f"{name} is a file of version {version}, promptsync reads v{_OLDEST} and later: upgrade the sync's schema "
        "version in Customer.io (Data & Integrations, Integrations, Upgrade Schema Version).",
    )


def _last(file_name: str) -> str:
    return file_name.rpartition("/")[2]


def _unknown(name: str, why: str) -> InputRefused:
    return InputRefused("unknown_name", f"The file name {name!r} says nothing promptsync knows: {why}.")
