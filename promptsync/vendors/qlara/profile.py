"""What one vendor's asynchronous exports look like, as data: another vendor with the same job model is another table.

Owns paths, authentication, JSON names, status words and the spellings of CSV columns, and how spellings are compared
(``plain``), so that ``startDateTime`` and ``Start date/time`` are one. Decides nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass


def plain(text: str) -> str:
    """What is left of a name when only letters and digits count: ``Start date/time`` is ``startdatetime``."""
    return "".join(sign for sign in text.casefold() if sign.isalnum())


Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KindProfile:
    """One kind of export. ``path``: requests it. ``types``: what the listing calls it (plain).

    ``fields``: our names of what can be asked for to the body's. ``needs``: alternatives, of which one must be given
    whole. ``slice_days``: the longest range asked for at once, 0 if it takes none; slices overlap by
    ``overlap_minutes``. ``columns``: column of ``table`` to the header spellings that mean it (plain), first found
    wins. ``changed``: the column that says when a row last changed. ``identity``: alternatives of columns that name a
    row without an id; one counts if its first column is not blank.
    """

    name: str
    table: str
    path: str
    types: Names
    fields: Mapping[str, str]
    needs: tuple[Names, ...]
    slice_days: int
    overlap_minutes: int
    again_days: int  # how far back a scheduled export asks again, as rows change late
    columns: Mapping[str, Names]
    changed: str
    identity: tuple[Names, ...]


@dataclass(frozen=True, slots=True)
class VendorProfile:
    """One vendor's API. ``key_header``: the header that carries the API key. ``jobs_path``: lists them, and with
    ``/ID`` behind it gives the link or, by POST, regenerates it. Statuses are an open set: other words mean wait.
    """

    name: str
    key_header: str
    jobs_path: str
    page_limit: int
    id_names: Names
    wrappers: Names  # objects that the answer to a request may put the id into
    list_names: Names
    status_names: Names
    type_names: Names
    created_names: Names
    ready_names: Names  # a boolean that says whether it can be downloaded
    link_names: Names
    done: Names
    expired: Names
    failed: Names
    browse_path: str
    browse_kind: str  # the kind whose rows can be browsed without an export
    browse_names: Names
    browse_limit: int
    channels: Names
    kinds: tuple[KindProfile, ...]

    def kind(self, name: str) -> KindProfile:
        """A kind by its name. Raises KeyError."""
        return {kind.name: kind for kind in self.kinds}[name]


_RANGE = {"from": "startDateTime", "to": "endDateTime"}

_SENT = {
    "channel": ("channel", "channeltype", "messagechannel"),
    "destination": ("destination", "destinationnumber", "recipient", "to", "phone", "phonenumber", "msisdn", "number"),
    "sender": ("sender", "senderid", "from", "originator", "alias"),
    "status": ("status", "deliverystatus", "messagestatus", "state", "esito"),
    "error": ("error", "errorcode", "errormessage", "errordescription", "failurereason", "reason"),
    "sent_at": ("sentat", "senddate", "sentdate", "senddatetime", "sentdatetime", "date", "datetime", "timestamp"),
    "delivered_at": ("deliveredat", "deliverydate", "delivereddate", "deliverydatetime", "deliveredon", "dlrdate"),
    "cost": ("cost", "price", "amount"),
    "parts": ("parts", "messageparts", "smsparts", "segments", "smscount"),
    "updated_at": ("updatedat", "updatedate", "updateddate", "lastupdate", "lastupdated", "lastmodified", "modifiedat",
                   "lastchange", "statusdate", "statusdatetime"),
}  # fmt: skip

CONTACTS = KindProfile(
    name="contacts",
    table="qlara_contact",
    path="/exports/contacts",
    types=("contacts", "contact", "contactsexport", "contactexport", "exportcontacts"),
    fields={"list_ids": "listIds", "contact_ids": "contactIds"},
    needs=((),),
    slice_days=0,
    overlap_minutes=0,
    again_days=0,
    columns={
        "id": ("id", "contactid", "uuid"),
        "phone": ("phone", "phonenumber", "mobile", "mobilephone", "mobilenumber", "msisdn", "number", "telephone",
                  "cellphone", "destination"),
        "name": ("name", "fullname", "displayname", "contactname"),
        "first_name": ("firstname", "givenname", "nome"),
        "last_name": ("lastname", "surname", "familyname", "cognome"),
        "email": ("email", "emailaddress", "mail"),
        "lists": ("lists", "list", "listids", "listnames", "groups"),
        "status": ("status", "state", "contactstatus"),
        "created_at": ("createdat", "created", "creationdate", "createddate", "createdon", "dateadded",
                       "createddatetime"),
        "updated_at": ("updatedat", "updated", "updatedate", "updateddate", "lastupdate", "lastupdated", "lastmodified",
                       "modifiedat", "modified", "lastchange"),
    },
    changed="updated_at",
    identity=(("phone",), ("email",)),
)  # fmt: skip

DELIVERY_REPORTS = KindProfile(
    name="delivery-reports",
    table="qlara_delivery_report",
    path="/exports/delivery-reports",
    types=("deliveryreports", "deliveryreport", "deliveryreportsexport", "deliveryreportexport",
           "exportdeliveryreports", "reports", "dlr"),
    fields={"campaign_id": "campaignId", **_RANGE},
    needs=(("campaign_id",), ("from", "to")),
    slice_days=31,
    overlap_minutes=60,
    again_days=3,
    columns={
        "id": ("id", "reportid", "deliveryreportid", "uuid"),
        "message_id": ("messageid", "msgid", "smsid"),
        "campaign_id": ("campaignid", "campaign"),
        "campaign_name": ("campaignname", "campaigntitle"),
        **_SENT,
    },
    changed="updated_at",
    identity=(("message_id", "destination"), ("destination", "campaign_id", "channel", "sent_at")),
)  # fmt: skip

MESSAGES = KindProfile(
    name="messages",
    table="qlara_message",
    path="/messages/history/export",
    types=("messages", "message", "messagehistory", "messageshistory", "messagehistoryexport", "messageshistoryexport",
           "messagesexport", "history"),
    fields={"channel": "channel", "status": "status", **_RANGE},
    needs=(("from", "to"),),
    slice_days=31,
    overlap_minutes=60,
    again_days=3,
    columns={
        "id": ("messageid", "id", "msgid", "smsid", "uuid"),
        "direction": ("direction", "type"),
        "body": ("body", "text", "message", "messagetext", "messagebody", "content", "testo"),
        **_SENT,
    },
    changed="updated_at",
    identity=(("destination", "sender", "channel", "direction", "sent_at", "body"),),
)  # fmt: skip

QLARA = VendorProfile(
    name="qlara",
    key_header="X-Api-Key",
    jobs_path="/exports",
    page_limit=100,
    id_names=("exportid", "id", "uuid", "jobid"),
    wrappers=("export", "data", "result"),
    list_names=("content", "data", "items", "exports", "results"),
    status_names=("status", "state", "exportstatus"),
    type_names=("type", "exporttype", "kind", "entity", "name"),
    created_names=("createdat", "created", "createddate", "creationdate", "createddatetime", "requestedat",
                   "requestdate"),
    ready_names=("isavailablefordownload", "availablefordownload"),
    link_names=("url", "downloadurl", "link", "downloadlink", "signedurl", "presignedurl"),
    done=("completed", "complete", "ready", "done", "finished", "available", "success", "succeeded"),
    expired=("expired",),
    failed=("failed", "failure", "error", "cancelled", "canceled", "rejected"),
    browse_path="/messages/history",
    browse_kind="messages",
    browse_names=("messages", "content", "data", "items", "results"),
    browse_limit=100,
    channels=("SMS", "RCS", "WHATSAPP"),
    kinds=(CONTACTS, DELIVERY_REPORTS, MESSAGES),
)  # fmt: skip
"""Agile Telecom's Qlara Partner Gateway."""
