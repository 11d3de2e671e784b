"""What Customer.io sends and why, as data: deliveries, what became of them, and the campaigns they come from.

Source: Customer.io's data warehouse sync, Parquet file schemas (v4 and v5, which lack columns in v4). The keys are
those by which rows really differ (facts beside the specifications), which the vendor's marks are not always.
"""

from promptsync.vendors.customerio.columns import BOOL, INT, JSON, TEXT, TIME, change_set_table, current, workspace

_SEQUENCE = ("seq_num", INT, "The vendor's running number of changes: the row with the largest is the newest")
_TOPICS = ("topic_names", JSON, "Subscription topics that a recipient must be subscribed to; blank without topics")
_UPDATED = ("updated_at", TIME, "When it was last changed")

DELIVERIES = change_set_table(
    "cio_deliveries",
    "Messages that Customer.io sent or tried to send: email, push, in-app, SMS, Slack and webhook.",
    ("delivery_id",),
    (
        workspace("delivery"),
        ("delivery_id", TEXT, "Unique ID of the delivery"),
        ("internal_customer_id", TEXT, "Person it went to (cio_id)", "cio_people"),
        ("subject_id", TEXT, "The person's journey through the campaign that made it (subject_name)", "cio_subjects"),
        ("event_id", TEXT, "Event that triggered the journey, as event_id of the subject says"),
        ("delivery_type", TEXT, "email, push, in-app, sms, slack or webhook"),
        ("campaign_id", INT, "Campaign or API-triggered broadcast it belongs to", "cio_campaigns"),
        ("action_id", INT, "Step of the workflow that made it", "cio_actions"),
        ("newsletter_id", INT, "Newsletter it belongs to", "cio_broadcasts"),
        ("content_id", INT, "Variant of the newsletter, in a split test"),
        ("trigger_id", INT, "API call that triggered the broadcast"),
        ("created_at", TIME, "When it was created"),
        ("transactional_message_id", INT, "API call that triggered the transactional message"),
        _SEQUENCE,
    ),
    "seq_num",
    sort="created_at",
    facets=("delivery_type",),
    indexes=(
        ("internal_customer_id", "created_at", "delivery_id"),
        ("campaign_id",),
        ("newsletter_id",),
        ("created_at",),
    ),
)

DELIVERY_CONTENT = change_set_table(
    "cio_delivery_content",
    "What deliveries said: text, subject line, sender and recipient of each.",
    ("delivery_id",),
    (
        ("delivery_id", TEXT, "The delivery", "cio_deliveries"),
        workspace("delivery"),
        ("type", TEXT, "email, sms, push, in-app or webhook"),
        ("campaign_id", INT, "Campaign it belongs to", "cio_campaigns"),
        ("action_id", INT, "Step of the workflow that made it", "cio_actions"),
        ("newsletter_id", INT, "Newsletter it belongs to", "cio_broadcasts"),
        ("content_id", INT, "Variant or language of the newsletter, from 0"),
        ("from", TEXT, "From address of an email"),
        ("reply_to", TEXT, "Reply-To address of an email"),
        ("bcc", TEXT, "Blind carbon copy (BCC) address of an email"),
        ("recipient", TEXT, "Email address, phone number or device that it went to"),
        ("subject", TEXT, "Subject line"),
        ("body", TEXT, "Body, of an email with its HTML markup"),
        ("body_amp", TEXT, "Body of an email with AMP scripts"),
        ("body_plain", TEXT, "Plain text of an email, where it was written by hand"),
        ("preheader", TEXT, "Preview text that the inbox shows beside the subject line"),
        ("url", TEXT, "Address of an outgoing webhook"),
        ("method", TEXT, "HTTP method of an outgoing webhook: POST, PUT, GET, ..."),
        ("headers", TEXT, "Headers of an outgoing webhook"),
    ),
    label="subject",
    indexes=(("recipient",),),
)

METRICS = change_set_table(
    "cio_metrics",
    "What became of deliveries: sent, delivered, opened, clicked and so on. A delivery may have several of one kind.",
    ("event_id",),
    (
        ("event_id", TEXT, "Unique ID of the metric"),
        workspace("metric"),
        ("delivery_id", TEXT, "Delivery it is about", "cio_deliveries"),
        ("metric", TEXT, "Kind of metric: sent, delivered, opened, clicked and so on"),
        ("reason", TEXT, "Why, for metrics such as attempted"),
        ("link_id", INT, "Link that was clicked"),
        ("link_url", TEXT, "Address of the link that was clicked, cut at 1000 bytes"),
        ("created_at", TIME, "When it happened"),
        _SEQUENCE,
        ("proxied", BOOL, "Whether a proxy server opened the email"),
        ("prefetched", BOOL, "Whether the email was opened in advance, perhaps by nobody"),
        ("machine", BOOL, "Whether a machine clicked, such as a security service"),
        ("user_agent", TEXT, "User agent of who or what did it"),
        ("email_client", TEXT, "Email client"),
        ("inbox_domain", TEXT, "Domain of the inbox"),
        ("inbox_provider", TEXT, "Provider of the inbox"),
        ("mx_host", TEXT, "Mail server (MX host) of the inbox"),
    ),
    "seq_num",
    label="metric",
    sort="created_at",
    facets=("metric",),
    indexes=(("delivery_id",), ("created_at",)),
)

OUTPUTS = change_set_table(
    "cio_outputs",
    "Steps of people's journeys through campaigns and API-triggered broadcasts.",
    ("output_id",),
    (
        workspace("output"),
        ("output_id", TEXT, "Unique ID of the step of one journey"),
        ("subject_name", TEXT, "The journey", "cio_subjects"),
        ("output_type", TEXT, "Kind of step; delay stands for time windows, grace periods and date triggers too"),
        ("action_id", INT, "Step of the workflow", "cio_actions"),
        ("explanation", TEXT, "Why it went this way"),
        ("delivery_id", TEXT, "Delivery that came of it", "cio_deliveries"),
        ("draft", BOOL, "Whether the delivery was made as a draft"),
        ("link_tracked", BOOL, "Whether links in the delivery are tracked"),
        ("split_test_index", INT, "Variant, for a split test"),
        ("delay_ends_at", TIME, "When the delay ends"),
        ("branch_index", INT, "Branch that was followed"),
        ("manual_segment_id", INT, "Manual segment that was updated"),
        ("add_to_manual_segment", BOOL, "Whether the person was added to that segment, not removed from it"),
        ("created_at", TIME, "When it was created"),
        _SEQUENCE,
    ),
    "seq_num",
    label="output_type",
    sort="created_at",
    facets=("output_type",),
    indexes=(("subject_name",), ("created_at",)),
)

SUBJECTS = change_set_table(
    "cio_subjects",
    "Journeys of people through campaigns and API-triggered broadcasts.",
    ("subject_name",),
    (
        workspace("subject"),
        ("subject_name", TEXT, "Unique ID of the journey"),
        ("internal_customer_id", TEXT, "Person whose journey it is (cio_id)", "cio_people"),
        ("campaign_type", TEXT, "segment, event or triggered_broadcast"),
        ("campaign_id", INT, "Campaign or API-triggered broadcast", "cio_campaigns"),
        ("event_id", TEXT, "Event that triggered the journey", "cio_metrics"),
        ("trigger_id", INT, "API call that triggered the broadcast"),
        ("started_campaign_at", TIME, "When the person first matched the trigger"),
        ("created_at", TIME, "When it was created"),
        _SEQUENCE,
    ),
    "seq_num",
    sort="created_at",
    facets=("campaign_type",),
    indexes=(("internal_customer_id",), ("campaign_id",), ("created_at",)),
)

CAMPAIGNS = change_set_table(
    "cio_campaigns",
    "Campaigns and API-triggered broadcasts, a row for each version.",
    ("campaign_id", "version"),
    (
        workspace("campaign"),
        ("campaign_id", INT, "Unique ID of the campaign; a newsletter may have the same number"),
        ("name", TEXT, "Name"),
        ("created_at", TIME, "When it was created"),
        _UPDATED,
        ("version", INT, "Version, from 1; a change of name, trigger or goal makes a new one"),
        _TOPICS,
    ),
    "version",
    label="name",
    sort="updated_at",
    views=(
        current(
            "cio_campaigns", "Campaigns and API-triggered broadcasts as they are now.", ("campaign_id",), "version"
        ),
    ),
)

ACTIONS = change_set_table(
    "cio_actions",
    "Steps of campaigns' workflows, such as a message or a delay, a row for each version.",
    ("campaign_id", "action_id", "version"),
    (
        workspace("action"),
        ("campaign_id", INT, "Campaign it is a step of", "cio_campaigns"),
        ("action_id", INT, "Unique ID of the step"),
        ("name", TEXT, "Name; blank if nobody gave it one"),
        ("created_at", TIME, "When it was created"),
        _UPDATED,
        ("version", INT, "Version, from 1; a change of name, content or settings makes a new one"),
        _TOPICS,
    ),
    "version",
    label="name",
    sort="updated_at",
    views=(current("cio_actions", "Steps of workflows as they are now.", ("campaign_id", "action_id"), "version"),),
)

BROADCASTS = change_set_table(
    "cio_broadcasts",
    "Newsletters, a row for each change. API-triggered broadcasts are campaigns.",
    ("broadcast_id", "updated_at"),
    (
        workspace("newsletter"),
        ("broadcast_id", INT, "Unique ID of the newsletter; a campaign may have the same number"),
        ("name", TEXT, "Name"),
        ("created_at", TIME, "When it was created"),
        _UPDATED,
        _TOPICS,
    ),
    "updated_at",
    label="name",
    sort="updated_at",
    views=(current("cio_broadcasts", "Newsletters as they are now.", ("broadcast_id",), "updated_at"),),
)

TABLES = (DELIVERIES, DELIVERY_CONTENT, METRICS, OUTPUTS, SUBJECTS, CAMPAIGNS, ACTIONS, BROADCASTS)
