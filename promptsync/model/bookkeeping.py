"""promptsync's own tables, as data: what arrived, what came of it, what could not be merged.

Names and columns are a contract with people and plugins. None of them ever holds a credential.
"""

from promptsync.model.plain_words import worded
from promptsync.model.table import Column, Kind, Role, Table

_INT, _TEXT, _REAL, _TIME, _JSON, _BLOB = Kind.INTEGER, Kind.TEXT, Kind.REAL, Kind.TIME, Kind.JSON, Kind.BLOB


def _own(name: str, about: str, columns: tuple[Column, ...], key: tuple[str, ...] = ("id",), **more: object) -> Table:
    return Table(name, about, key, columns, Role.OWN, org_scoped=False, **more)  # type: ignore[arg-type]


SYNC_EVENT = _own(
    "sync_event",
    "Every delivery received by webhook, as it came.",
    (
        Column("id", _INT, "Number of the delivery, in order of receipt"),
        Column("type", _TEXT, "Event type, contactAction without its suffix"),
        Column("path", _TEXT, "Path below the configured one"),
        Column("org_id", _INT, "Organization", references="org"),
        Column("received_at", _TEXT, "When it was received, UTC with microseconds; strictly increasing"),
        Column("observed_at", _INT, "When what it says was so", unit="microseconds since 1970, UTC"),
        Column("state", _TEXT, "pending, applied, unknown_type or failed"),
        Column("attempts", _INT, "How often it was applied"),
        Column("error", _TEXT, "What could not be read, in words"),
        Column("digest", _TEXT, "SHA-256 of the body; a label, never a reason to drop a delivery"),
        Column("headers", _JSON, "Headers kept; never credentials"),
        Column("body", _TEXT, "The exact text received"),
    ),
    label="type",
    sort="id",
    facets=("type", "state"),
    indexes=(("type",), ("received_at",)),
    partial_indexes=(("id", "state <> 'applied'"),),
)

SYNC_FILE = _own(
    "sync_file",
    "Every file seen and what came of it.",
    (
        Column("id", _INT, "Number of the file"),
        Column("source", _TEXT, "Where it came from"),
        Column("name", _TEXT, "File name"),
        Column("path", _TEXT, "Where it lay"),
        Column("size", _INT, "Size", unit="bytes"),
        Column("sha256", _TEXT, "SHA-256 of the file as it came"),
        Column("table", _TEXT, "Table it states"),
        Column("org_id", _INT, "Organization", references="org"),
        Column("as_of", _TIME, "Instant it states the table at; blank for a change set, which states none"),
        Column("correction", _INT, "Which in a row of files that replace one of the same instant; 0: it replaces none"),
        Column("workspace_id", _INT, "Customer.io workspace that its name states, of a change set"),
        Column("sequence", _TEXT, "Place in the vendor's order of a change set: 18 digits, or twice 18 joined by _"),
        Column("state", _TEXT, "staged, merged, unchanged, held, failed, ignored or reset (merged, then forgotten)"),
        Column("rows", _INT, "Rows in the file"),
        Column("inserted", _INT, "Rows that were new"),
        Column("updated", _INT, "Rows that changed"),
        Column("unchanged", _INT, "Rows that were as they are"),
        Column("absent", _INT, "Rows that it no longer has"),
        Column("rejected", _INT, "Rows that could not be merged"),
        Column("suppressed", _INT, "Rows left out, as they are about people who were erased"),
        Column("differing", _INT, "Rows in which it and a file of the same instant, merged before, differ"),
        Column("ahead", _INT, "Rows that claim to have changed hours after the file was made"),
        Column("seconds", _REAL, "Time it took", unit="seconds"),
        Column("error", _TEXT, "Why it was held, failed or ignored"),
        Column("seen_at", _TIME, "When it was last worked on"),
    ),
    label="name",
    sort="id",
    facets=("state", "table"),
    indexes=(("sha256",), ("state",), ("table", "org_id", "as_of"), ("table", "sequence")),
)

SYNC_SNAPSHOT = _own(
    "sync_snapshot",
    "Snapshots that have been applied.",
    (
        Column("id", _INT, "Number of the snapshot"),
        Column("table", _TEXT, "Table"),
        Column("org_id", _INT, "Organization (0 for the table of organizations)"),
        Column("as_of", _TIME, "Instant it states the table at"),
        Column("at", _INT, "The same instant as a number", unit="microseconds since 1970, UTC"),
        Column("rows", _INT, "Rows in it"),
        Column("lacks", _JSON, "Columns of the table that its file did not have"),
        Column("file_id", _INT, "The file", references="sync_file"),
        Column("applied_at", _TIME, "When it was applied"),
        Column("blocks", _BLOB, "Digests of its blocks, so that the next night need not be read whole"),
    ),
    sort="as_of",
    facets=("table",),
    indexes=(("table", "org_id", "at"),),
)

SYNC_REJECT = _own(
    "sync_reject",
    "Rows and deliveries that could not be merged.",
    (
        Column("id", _INT, "Number of the reject"),
        Column("class", _TEXT, "Kind of problem"),
        Column("table", _TEXT, "Table it was meant for"),
        Column("file_id", _INT, "File it came in", references="sync_file"),
        Column("event_id", _INT, "Delivery it came in", references="sync_event"),
        Column("line", _INT, "Line in the file, from 1"),
        Column("reason", _TEXT, "What is wrong with it"),
        Column("original", _BLOB, "The bytes as they came"),
        Column("rejected_at", _TIME, "When"),
    ),
    label="reason",
    sort="id",
    facets=("class", "table"),
    indexes=(("file_id",), ("event_id",), ("class",)),
)

SYNC_DRIFT = _own(
    "sync_drift",
    "Columns, event types, file names and ways to write a file never seen before, and what places cannot list.",
    (
        Column("kind", _TEXT, "column, event type, file name, separator, encoding or passed over"),
        Column("table", _TEXT, "Table, where it is of one"),
        Column("name", _TEXT, "The name"),
        Column("first_seen", _TIME, "When it was first seen"),
        Column("seen_in", _TEXT, "Where it was first seen"),
    ),
    key=("kind", "table", "name"),
    sort="first_seen",
)

SYNC_TOUCHED = _own(
    "sync_touched",
    "Rows that row-wise claims spoke of since the newest snapshot: its unchanged blocks are read there all the same.",
    (
        Column("table", _TEXT, "Table"),
        Column("org_id", _INT, "Organization", references="org"),
        Column("key", _INT, "Key of the row"),
        Column("at", _INT, "Time of the newest such claim", unit="microseconds since 1970, UTC"),
    ),
    key=("table", "org_id", "key"),
)

SYNC_ERASED = _own(
    "sync_erased",
    "People who were erased and must not come back: of each identifier a keyed hash, never the identifier.",
    (
        Column("kind", _TEXT, "Kind of identifier: contact, phone, email, ..."),
        Column("hash", _BLOB, "Hash of the identifier under the key in the file beside the mirror"),
        Column("erasure_id", _INT, "The erasure that forgot it"),
    ),
    key=("kind", "hash", "erasure_id"),
    indexes=(("erasure_id",),),
)

SYNC_FULL_LIST = _own(
    "sync_full_list",
    "When a webhook restated the whole of a contact's lists.",
    (
        Column("contact_id", _INT, "The contact", references="contact"),
        Column("list", _TEXT, "channels, tags, identities or contactLists"),
        Column("at", _INT, "When", unit="microseconds since 1970, UTC"),
    ),
    key=("contact_id", "list", "at"),
)

SYNC_JOB = _own(
    "sync_job",
    "Asynchronous export jobs.",
    (
        Column("id", _INT, "Number of the job"),
        Column("type", _TEXT, "What is exported"),
        Column("range", _TEXT, "Range asked for"),
        Column("vendor_id", _TEXT, "The vendor's ID of the job"),
        Column("state", _TEXT, "requested, pending, available, downloaded, loaded, expired, failed or refused"),
        Column("attempts", _INT, "How often it was tried"),
        Column("requested_at", _TIME, "When it was asked for"),
        Column("changed_at", _TIME, "When its state last changed"),
        Column("file_id", _INT, "The file", references="sync_file"),
        Column("error", _TEXT, "What went wrong"),
    ),
    sort="id",
)

SYNC_OBJECT = _own(
    "sync_object",
    "Files seen at the places that exports and change sets are fetched from, and how far each has come.",
    (
        Column("place", _TEXT, "The place, without user and password"),
        Column("key", _TEXT, "What it is called there"),
        Column("tag", _TEXT, "Its version: an ETag, or its size and time"),
        Column("size", _INT, "Size", unit="bytes"),
        Column("modified_at", _TIME, "When it was last changed there"),
        Column("table", _TEXT, "Table it states"),
        Column("org_id", _INT, "Organization", references="org"),
        Column("as_of", _TIME, "Instant it states the table at"),
        Column("workspace_id", _INT, "Workspace it states, of a change set"),
        Column("version", _INT, "Version of the vendor's files it states, of a change set"),
        Column("sequence", _INT, "Place in the vendor's order it states, of a change set"),
        Column("part", _INT, "Second number of that place, 0 if there is none"),
        Column(
            "state",
            _TEXT,
            "waiting, skipped, over_budget, loaded, held, failed or gone (before it was fetched)",
        ),
        Column("attempts", _INT, "How often it was tried"),
        Column("seen_at", _TIME, "When this version was first seen"),
        Column("tried_at", _TIME, "When it was last tried"),
        Column("gone_at", _TIME, "When it was first missing from the place, or was deleted or moved there"),
        Column("content_bytes", _INT, "Size of the selected columns, of content with a budget", unit="bytes"),
        Column("file_id", _INT, "What came of it", references="sync_file"),
        Column("error", _TEXT, "What went wrong"),
    ),
    key=("place", "key"),
    sort="seen_at",
    facets=("place", "state", "table"),
)

SYNC_RUN = _own(
    "sync_run",
    "Runs of scheduled tasks.",
    (
        Column("id", _INT, "Number of the run"),
        Column("task", _TEXT, "The task"),
        Column("started_at", _TIME, "When it started"),
        Column("finished_at", _TIME, "When it ended"),
        Column("outcome", _TEXT, "done, problem or failed"),
        Column("message", _TEXT, "What came of it"),
    ),
    sort="id",
    indexes=(("task", "id"),),
)

SYNC_STATE = _own(
    "sync_state",
    "Counters and marks of promptsync itself.",
    (Column("name", _TEXT, "Name of the mark"), Column("value", _TEXT, "Its value")),
    key=("name",),
)

SYNC_ZONE = _own(
    "sync_zone",
    "The zone by whose days rows are counted, as its offsets from UTC.",
    (
        Column("starts", _TEXT, "Instant from which on it holds; blank: from the beginning"),
        Column("shift", _TEXT, "What is added to UTC"),
    ),
    key=("starts",),
)

SYNC_ERASURE = _own(
    "sync_erasure",
    "People who were forgotten: when, and how many rows of which tables. Never who.",
    (
        Column("id", _INT, "Number of the erasure"),
        Column("begun_at", _TIME, "When it began"),
        Column("finished_at", _TIME, "When all was removed; blank while it is not, then it is to be done again"),
        Column("undone_at", _TIME, "When they were let back in; blank while they are kept out"),
        Column("why", _TEXT, "asked: by hand; gone: deleted or suppressed at the vendor; again: found in a backup"),
        Column("rows", _INT, "Rows removed in all"),
        Column("tables", _JSON, "Rows removed by table"),
        Column("files", _INT, "Kept files that were rewritten or removed"),
    ),
    sort="id",
)

_TITLES = {
    "sync_event": "Deliveries received",
    "sync_file": "Files",
    "sync_snapshot": "Nightly exports taken over",
    "sync_reject": "Rows and deliveries that could not be read",
    "sync_drift": "What was never seen before",
    "sync_erasure": "People who were forgotten",
    "sync_touched": "Rows changed since the last night",
    "sync_erased": "Erased people, as hashes",
    "sync_full_list": "When lists were restated",
    "sync_job": "Exports asked for",
    "sync_object": "Files at the places they come from",
    "sync_run": "Scheduled runs",
    "sync_state": "Marks of promptsync",
    "sync_zone": "Time zone",
}
_LABELS = {
    "absent": "Gone",
    "ahead": "Changed after the export",
    "as_of": "Copy of",
    "at": "When",
    "class": "Kind",
    "contact_id": "Person",
    "content_bytes": "Size of the content",
    "correction": "Correction",
    "differing": "Unlike the same night before",
    "event_id": "Delivery",
    "file_id": "File",
    "gone_at": "Gone since",
    "inserted": "New",
    "lacks": "Columns it lacks",
    "org_id": "Organization",
    "updated": "Changed",
    "vendor_id": "ID at the vendor",
    "suppressed": "Left out",
    "workspace_id": "Workspace",
}

TABLES = worded(
    (
        SYNC_EVENT,
        SYNC_FILE,
        SYNC_SNAPSHOT,
        SYNC_REJECT,
        SYNC_DRIFT,
        SYNC_TOUCHED,
        SYNC_ERASED,
        SYNC_FULL_LIST,
        SYNC_JOB,
        SYNC_OBJECT,
        SYNC_RUN,
        SYNC_STATE,
        SYNC_ZONE,
        SYNC_ERASURE,
    ),
    _TITLES,
    _LABELS,
)
