"""Webhook deliveries as lines of an exported inbox."""

import json
from pathlib import Path
from typing import Any


def customer(id_: int = 1001, phone: str = "+13125550188", org: int = 1287) -> dict[str, Any]:
    """The body of customer/added."""
    user = {"id": id_, "displayName": "Ana", "createdTimestamp": 1711114892361, "userType": "CUSTOMER"}
    lists: dict[str, Any] = {"tags": [], "identities": [], "contactLists": []}
    channels = [{"identityType": "SMS", "key": phone}]
    return {"orgId": org, "customer": {**user, **lists, "channels": channels, "globalOptOut": False}}


def line(path: str, body: object, received_at: str = "2026-02-04T08:00:00.000001Z") -> str:
    """One line; a body that is no text is written as JSON."""
    text = body if isinstance(body, str) else json.dumps(body)
    return json.dumps({"received_at": received_at, "type": path, "path": path, "body": text})


def write(path: Path, *lines: str) -> Path:
    """A file of lines."""
    path.write_text("".join(f"{one}\n" for one in lines))
    return path
