"""Every column that can name a person is declared to do so, or is listed here with the reason why it does not."""

import doctest
import re

import pytest

from promptsync.config import load_config
from promptsync.engine.built_in import CHANGES, load_extensions
from promptsync.model import Column, Identity, Kind, Schema, Table, person
from promptsync.model.person import Identifier, identifiers_in, owners_in

NAMES_PERSON = re.compile(
    r"phone|e-?mail|contact|customer|recipient|destination|sender|number|address|_key$|^key$|user|person|^from$|^to$|"
    r"bcc|reply_to|identit|cio_id|account|sent_to|username|member",
    re.IGNORECASE,
)
OURS = "an organization's own number, address or account, or its own team's"
COUNT = "a number of people, not one of them"
KIND = "a kind, not an identifier"
OF_ROW = "content of a row that belongs to whom its other columns name"
HASHED = "a hash that says nothing without a key that is elsewhere"
BOOKKEEPING = "promptsync's own record, which names no person"
RAW = "as it came; looked through word by word"

REASONS: dict[str, str] = {
    "sync_erased.hash": HASHED,
    **dict.fromkeys(("opt_out.org_phone", "opt_in.org_phone", "message.org_phone", "channel.channel_key"), OURS),
    **dict.fromkeys(("message.team_member_id", "message.user_type", "conversation_change.team_member_id"), OURS),
    **dict.fromkeys(("agent_activity.team_member_id", "notification.team_member_id", "notification.sent_to"), OURS),
    **dict.fromkeys(("scheduled_message.user_id", "conversation_member.team_member_id"), OURS),
    **dict.fromkeys(("channel.incoming_call_forward_number", "channel.provider", "channel.channel_apps"), OURS),
    **dict.fromkeys(("notification_setting.phone_number", "notification_setting.slack_username"), OURS),
    **dict.fromkeys(("notification_setting.team_member_id", "notification_setting.notification_groups"), OURS),
    **dict.fromkeys(("cio_inbound.to", "cio_delivery_content.from", "cio_delivery_content.reply_to"), OURS),
    "cio_delivery_content.bcc": OURS,
    **dict.fromkeys(("broadcast.num_contacts", "broadcast.contact_list_ids"), COUNT),
    **dict.fromkeys(("conversation_change.user_type", "contact_channel.identity_type"), KIND),
    **dict.fromkeys(("contact_data.key", "contact_list_member.contact_list_id"), KIND),
    **dict.fromkeys(("scheduled_message.identity_type",), KIND),
    **dict.fromkeys(("sheet_read.row_number", "sheet_write.row_number"), COUNT),
    **dict.fromkeys(("message.bot_response", "conversation.extra", "conversation_config.extra"), OF_ROW),
    **dict.fromkeys(("scheduled_message.instant_app_schema", "scheduled_message.extra"), OF_ROW),
    **dict.fromkeys(("instant_app.parameters", "instant_app.extra", "instant_app.customer_url"), OF_ROW),
    **dict.fromkeys(
        ("instant_app_event.value", "instant_app_event.new_values", "instant_app_event.old_values"), OF_ROW
    ),
    **dict.fromkeys(("cio_events.data", "cio_events.sources", "cio_events.source_uas"), OF_ROW),
    **dict.fromkeys(("cio_metrics.email_client", "cio_metrics.user_agent"), OF_ROW),
    "cio_inbound.in_reply_to_delivery_id": OF_ROW,
    "conversation_config.phone_provider_opt_out": OF_ROW,
    **dict.fromkeys(("cio_campaigns.topic_names",), KIND),
    **dict.fromkeys(("cio_actions.topic_names", "cio_broadcasts.topic_names"), KIND),
    **dict.fromkeys(("sync_event.headers", "sync_snapshot.lacks", "sync_object.key", "sync_touched.key"), BOOKKEEPING),
    **dict.fromkeys(("sync_change.key", "sync_erasure.tables"), BOOKKEEPING),
    **dict.fromkeys(("sync_event.body", "sync_reject.original"), RAW),
    "sync_snapshot.blocks": BOOKKEEPING,
}
TEAM = ("team_member", "team_member_identity")
"""The organization's own people, whose accounts are Prompt's to delete."""


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Schema:
    config = tmp_path_factory.mktemp("schema") / "promptsync.toml"
    config.write_text("[webhook]\nallow_unauthenticated = true\n")
    extensions = load_extensions(load_config(config))
    return Schema((*extensions.schema, CHANGES))


def can_name(column: Column) -> bool:
    refers = column.references in ("contact", "cio_people")
    return refers or column.kind in (Kind.JSON, Kind.BLOB) or bool(NAMES_PERSON.search(column.name))


def test_every_column_that_can_name_a_person_says_so(schema: Schema) -> None:
    every = {f"{table.name}.{column.name}": column for table in schema for column in table.columns}
    silent = {
        name
        for name, column in every.items()
        if can_name(column) and column.identity is None and name.partition(".")[0] not in TEAM
    }
    assert silent - REASONS.keys() == set()
    assert {name for name in REASONS if name in every and every[name].identity is not None} == set()


def test_a_condition_names_a_column_of_the_table_in_small_letters(schema: Schema) -> None:
    for table in schema:
        for column in table.identifying:
            if column.only_if is not None:
                assert column.only_if[0] in table.by_name
                assert {word.lower() for word in column.only_if[1]} == column.only_if[1]


def test_the_examples_in_the_words() -> None:
    assert doctest.testmod(person).failed == 0
    assert doctest.testmod(person).attempted > 3


def test_a_row_belongs_to_the_contact_it_names_whatever_number_it_has(schema: Schema) -> None:
    message: Table = schema["message"]
    row = {"contact_id": 7, "contact_phone": "+15550100301", "user_type": "TEAM_MEMBER", "user_id": 9}
    assert owners_in(message, row) == {Identifier(Identity.CONTACT, "7")}
    assert identifiers_in(message, row) == {
        Identifier(Identity.CONTACT, "7"),
        Identifier(Identity.PHONE, "+15550100301"),
    }
    assert owners_in(message, row | {"contact_id": None}) == {Identifier(Identity.PHONE, "+15550100301")}
    written = row | {"contact_id": None, "user_type": "CUSTOMER"}
    assert owners_in(message, written) == {Identifier(Identity.CONTACT, "9")}


def test_a_free_field_identifies_only_by_a_name_that_says_so(schema: Schema) -> None:
    data = schema["contact_data"]
    row = {"contact_id": 7, "key": "E-Mail", "value": "Bo@Club.Example"}
    assert Identifier(Identity.EMAIL, "bo@club.example") in identifiers_in(data, row)
    assert identifiers_in(data, row | {"key": "friend"}) == {Identifier(Identity.CONTACT, "7")}
