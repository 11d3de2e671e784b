"""Deliveries and rows that the tests of plugins send."""

from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[2] / "plugins"
AT = 1_770_192_000_000  # 2026-02-04T08:00:00Z, milliseconds


def message(id_: int, body: str, user_type: str = "CUSTOMER") -> dict[str, Any]:
    """The body of message/added."""
    said = {"id": id_, "content": body, "userType": user_type, "userId": 3, "createdTimestamp": AT + id_}
    return {"orgId": 1, "message": said | {"status": "RECEIVED"}}


def opt_out(id_: int, at: int = AT, *, out: bool = True) -> dict[str, Any]:
    """The body of customer/optOut."""
    customer = {"id": id_, "displayName": f"Contact {id_}", "globalOptOut": out, "globalOptOutTimestamp": at}
    told = {"timestamp": at, "optOutType": "GLOBAL", "optOut": out}
    return {"orgId": 1, "customers": [customer | {"createdTimestamp": 1}], **told}


def contact(id_: int, **columns: Any) -> dict[str, Any]:
    """A row of the contact file."""
    said = {"id": id_, "display_name": f"Contact {id_}", "phone": f"+1415555{id_:04d}", "is_opted_out": False}
    return said | {"updated_timestamp": "2026-01-01T00:00:00Z", "created_timestamp": "2026-01-01T00:00:00Z"} | columns
