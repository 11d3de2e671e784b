"""The declarations of Customer.io's tables against the vendor's specification, written down here once more.

A line: table, order, key within the workspace; below it its columns as the specification lists them, by what they hold.
"""

import pytest

from promptsync.model import FilledBy, Role, Schema, Table
from promptsync.vendors import declared_schema

_STATED = """
deliveries|seq_num|delivery_id
    TEXT delivery_id internal_customer_id subject_id event_id delivery_type
    INTEGER workspace_id campaign_id action_id newsletter_id content_id trigger_id transactional_message_id seq_num
    TIME created_at
delivery_content||delivery_id
    TEXT delivery_id type from reply_to bcc recipient subject body body_amp body_plain preheader url method headers
    INTEGER workspace_id campaign_id action_id newsletter_id content_id
metrics|seq_num|event_id
    TEXT event_id delivery_id metric reason link_url user_agent email_client inbox_domain inbox_provider mx_host
    INTEGER workspace_id link_id seq_num
    TIME created_at
    BOOLEAN proxied prefetched machine
outputs|seq_num|output_id
    TEXT output_id subject_name output_type explanation delivery_id
    INTEGER workspace_id action_id split_test_index branch_index manual_segment_id seq_num
    TIME delay_ends_at created_at
    BOOLEAN draft link_tracked add_to_manual_segment
people|updated_at|internal_customer_id
    TEXT customer_id internal_customer_id email_addr
    INTEGER workspace_id
    TIME created_at updated_at
    BOOLEAN deleted suppressed
subjects|seq_num|subject_name
    TEXT subject_name internal_customer_id campaign_type event_id
    INTEGER workspace_id campaign_id trigger_id seq_num
    TIME started_campaign_at created_at
attributes|timestamp|internal_customer_id attribute_name timestamp
    TEXT internal_customer_id attribute_name attribute_value
    INTEGER workspace_id
    TIME timestamp
campaigns|version|campaign_id version
    TEXT name
    INTEGER workspace_id campaign_id version
    TIME created_at updated_at
    JSON topic_names
actions|version|campaign_id action_id version
    TEXT name
    INTEGER workspace_id campaign_id action_id version
    TIME created_at updated_at
    JSON topic_names
broadcasts|updated_at|broadcast_id updated_at
    TEXT name
    INTEGER workspace_id broadcast_id
    TIME created_at updated_at
    JSON topic_names
objects|updated_at|internal_object_id
    TEXT object_id internal_object_id
    INTEGER workspace_id object_type_id
    TIME created_at updated_at
    BOOLEAN deleted
object_types|updated_at|object_type_id
    TEXT name slug
    INTEGER workspace_id object_type_id
    TIME updated_at
    BOOLEAN deleted enabled
object_attributes|timestamp|internal_object_id attribute_name timestamp
    TEXT internal_object_id attribute_name attribute_value
    INTEGER workspace_id object_type_id
    TIME timestamp
events|timestamp|event_id
    TEXT event_id internal_customer_id name type
    INTEGER workspace_id
    TIME timestamp processed_at
    JSON data sources source_uas
inbound|timestamp|event_id
    TEXT event_id internal_customer_id channel from to body keyword messaging_service_sid message_sid
    TEXT in_reply_to_delivery_id
    INTEGER workspace_id
    TIME timestamp processed_at
    BOOLEAN optout
"""

_LINKS = """
deliveries.internal_customer_id people           deliveries.subject_id subjects
deliveries.campaign_id campaigns                 deliveries.action_id actions
deliveries.newsletter_id broadcasts              delivery_content.delivery_id deliveries
delivery_content.campaign_id campaigns           delivery_content.action_id actions
delivery_content.newsletter_id broadcasts        metrics.delivery_id deliveries
outputs.subject_name subjects                    outputs.action_id actions
outputs.delivery_id deliveries                   subjects.internal_customer_id people
subjects.campaign_id campaigns                   subjects.event_id metrics
attributes.internal_customer_id people           actions.campaign_id campaigns
objects.object_type_id object_types              object_attributes.object_type_id object_types
object_attributes.internal_object_id objects     events.internal_customer_id people
inbound.internal_customer_id people              inbound.in_reply_to_delivery_id deliveries
"""


def _stated() -> dict[str, tuple[str, tuple[str, ...], dict[str, str]]]:
    """Table to order, key and columns with their kinds."""
    tables: dict[str, tuple[str, tuple[str, ...], dict[str, str]]] = {}
    columns: dict[str, str] = {}
    for line in _STATED.strip().splitlines():
        if line.startswith(" "):
            kind, *names = line.split()
            columns.update(dict.fromkeys(names, kind))
        else:
            name, order, key = line.split("|")
            columns = {}
            tables[f"cio_{name}"] = (order, ("workspace_id", *key.split()), columns)
    return tables


STATED = _stated()
SCHEMA = declared_schema()


def test_the_fifteen_tables_are_there_and_no_others() -> None:
    assert {table.name for table in SCHEMA if table.filled_by is FilledBy.CHANGE_SET} == STATED.keys()
    assert {table.name for table in SCHEMA if table.name.startswith("cio_")} == STATED.keys()
    assert len(STATED) == 15


@pytest.mark.parametrize("name", STATED)
def test_a_table_is_as_the_vendor_says(name: str) -> None:
    order, key, columns = STATED[name]
    table = SCHEMA[name]
    assert {column.name: column.kind.name for column in table.columns} == columns
    assert (table.key, table.order) == (key, order)
    assert (table.role, table.org_scoped, table.exported) == (Role.MIRROR, False, False)
    assert {group: {c.name for c in of} for group, of in table.groups.items()} == {"row": columns.keys() - set(key)}


def test_what_refers_to_what() -> None:
    words = _LINKS.split()
    stated = {f"cio_{column}": f"cio_{table}" for column, table in zip(words[::2], words[1::2], strict=True)}
    declared = {
        f"{t.name}.{c.name}": c.references
        for t in SCHEMA
        if t.filled_by is FilledBy.CHANGE_SET
        for c in t.columns
        if c.references
    }
    assert declared == stated


@pytest.mark.parametrize(
    "table", [table for table in SCHEMA if table.filled_by is FilledBy.CHANGE_SET], ids=lambda table: table.name
)
def test_what_a_table_names_it_has(table: Table) -> None:
    named = {*table.facets, *table.key, *(column for index in table.indexes for column in index)}
    assert (named | {table.label, table.sort, table.order}) - {""} <= table.by_name.keys()
    assert not table.sort or (table.sort,) in table.indexes or table.views or table.name == "cio_object_types"
    for view in table.views:
        assert view.table == table.name
        assert bool(view.where) != ((*view.per, view.newest) == table.key)


def test_every_reference_within_the_workspace_has_a_target() -> None:
    for table in SCHEMA:
        for column in table.columns if table.filled_by is FilledBy.CHANGE_SET else ():
            target = SCHEMA.target(column)
            assert (target is not None) == bool(column.references)
            assert target is None or target.columns[0] == "workspace_id"


def test_views_stay_with_their_tables_however_a_schema_is_put_together() -> None:
    some = Schema(table for table in SCHEMA if table.name != "cio_people")
    assert {view.name for view in SCHEMA.views} - {view.name for view in some.views} == {"cio_people_gone"}
    assert SCHEMA.shape("cio_people_gone") is SCHEMA.shape("cio_people") is SCHEMA["cio_people"]
    assert some.shape("cio_people_gone") is None
