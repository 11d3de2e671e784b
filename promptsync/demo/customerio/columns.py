"""The columns of Customer.io's parquet files, in the specification's order, as data. Knows no rows.

Follows Parquet file schemas. One word each: a name and its type: ``:i`` integer, ``:s`` text, ``:b`` yes or no, ``:t``
time, ``:l`` list of texts. A ``*`` in front: files of version 4 lack the column.
"""

from collections.abc import Iterable
from typing import NamedTuple


class CioColumn(NamedTuple):
    """``kind``: one letter as above. ``newer``: only since version 5."""

    name: str
    kind: str
    newer: bool


_CONTENT = (
    "delivery_id:s workspace_id:i type:s campaign_id:i action_id:i newsletter_id:i content_id:i from:s reply_to:s bcc:s"
    " recipient:s subject:s body:s body_amp:s body_plain:s preheader:s url:s method:s headers:s"
)
_VERSIONED = "name:s created_at:t updated_at:t version:i *topic_names:l"

_TABLES = {
    "deliveries": "workspace_id:i delivery_id:s internal_customer_id:s subject_id:s event_id:s delivery_type:s"
    " campaign_id:i action_id:i newsletter_id:i content_id:i trigger_id:i created_at:t transactional_message_id:i"
    " seq_num:i",
    "delivery_content": _CONTENT,
    "metrics": "event_id:s workspace_id:i delivery_id:s metric:s reason:s link_id:i link_url:s created_at:t seq_num:i"
    " *proxied:b *prefetched:b *machine:b *user_agent:s *email_client:s *inbox_domain:s *inbox_provider:s *mx_host:s",
    "outputs": "workspace_id:i output_id:s subject_name:s output_type:s action_id:i explanation:s delivery_id:s draft:b"
    " link_tracked:b split_test_index:i delay_ends_at:t branch_index:i manual_segment_id:i add_to_manual_segment:b"
    " created_at:t seq_num:i",
    "people": "workspace_id:i customer_id:s internal_customer_id:s deleted:b suppressed:b created_at:t updated_at:t"
    " *email_addr:s",
    "subjects": "workspace_id:i subject_name:s internal_customer_id:s campaign_type:s campaign_id:i event_id:s"
    " trigger_id:i started_campaign_at:t created_at:t seq_num:i",
    "attributes": "workspace_id:i internal_customer_id:s attribute_name:s attribute_value:s timestamp:t",
    "campaigns": f"workspace_id:i campaign_id:i {_VERSIONED}",
    "broadcasts": "workspace_id:i broadcast_id:i name:s created_at:t updated_at:t *topic_names:l",
    "actions": f"workspace_id:i campaign_id:i action_id:i {_VERSIONED}",
    "objects": "workspace_id:i object_type_id:i object_id:s internal_object_id:s deleted:b created_at:t updated_at:t",
    "object_types": "workspace_id:i object_type_id:i name:s slug:s deleted:b enabled:b updated_at:t",
    "object_attributes": "workspace_id:i object_type_id:i internal_object_id:s attribute_name:s attribute_value:s"
    " timestamp:t",
    "events": "workspace_id:i event_id:s internal_customer_id:s name:s type:s data:s timestamp:t processed_at:t"
    " *sources:l *source_uas:l",
    "inbound": "workspace_id:i event_id:s internal_customer_id:s timestamp:t processed_at:t channel:s from:s to:s"
    " body:s keyword:s optout:b messaging_service_sid:s message_sid:s in_reply_to_delivery_id:s",
}  # fmt: skip


def tables() -> tuple[str, ...]:
    """The fifteen tables, by the stems of their files."""
    return tuple(_TABLES)


def columns_of(table: str, version: int) -> tuple[CioColumn, ...]:
    """What a file of a table and version holds, in order."""
    return tuple(column for column in _columns(_TABLES[table].split()) if version >= 5 or not column.newer)


def _columns(words: Iterable[str]) -> Iterable[CioColumn]:
    for word in words:
        name, _, kind = word.removeprefix("*").partition(":")
        yield CioColumn(name, kind, word.startswith("*"))
