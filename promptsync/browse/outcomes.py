"""A message at Customer.io or Qlara in plain words: what it is, whose, what became of it.

Owns which of a vendor's words mean what; of a word that is not known, the vendor's own is shown. Pure.
"""

from typing import Any, Final

from promptsync.browse.cells import clean
from promptsync.browse.failures import failure
from promptsync.browse.words import Words

_CAME: Final = ("clicked", "converted", "opened", "delivered", "sent", "unknown")
_WENT_WRONG: Final = (
    "bounced",
    "failed",
    "expired",
    "undeliverable",
    "dropped",
    "suppressed",
    "spammed",
    "unsubscribed",
)
_STATES: Final = {"DELIVERED": "delivered", "SENT": "sent", "UNKNOWN": "unknown", "READ": "opened"}
_FAILED: Final = {"ERROR": "failed", "EXPIRED": "expired"}
_FROM_THEM: Final = ("in", "mo", "rec")
_LONGEST: Final = 200


def said(words: Words, row: dict[str, Any]) -> dict[str, Any]:
    """A row of ``timeline.with_names`` and, in words: ``kind`` (in, out), ``sort`` (e-mail, text ...), ``outcome``,
    ``went_wrong`` and its ``reason``, ``campaign``, ``campaign_id``, ``subject``; blank where there is none."""
    came: dict[str, str | None] = row.get("metrics") or _state(row)
    wrong = next((name for name in _WENT_WRONG if name in came), "")
    outcome = next((name for name in _CAME if name in came), "")
    type_ = clean(row["type"]).strip()
    sort = f"person.sorts.{type_.lower().replace('-', '_')}"
    return row | {
        "kind": "in" if _is_from_them(row) else "out",
        "sort": words.say(sort) if sort in words else type_[:20],
        "went_wrong": words.say(f"person.came.{wrong}") if wrong else "",
        "reason": _reason(words, came.get(wrong)),
        "outcome": words.say(f"person.came.{outcome}") if outcome else "",
        "campaign": clean(row.get("campaign")).strip(),
        "campaign_id": row.get("campaign_id"),
        "subject": clean(row.get("subject")).strip(),
    }


def _is_from_them(row: dict[str, Any]) -> bool:
    """Replies at Customer.io; at Qlara, whose words for it are not documented, whatever reads like received."""
    return row["source"] == "replied" or clean(row.get("direction")).casefold().startswith(_FROM_THEM)


def _reason(words: Words, told: str | None) -> str:
    """Why one did not arrive: what a carrier's code means, or the vendor's own words."""
    plain = " ".join(clean(told).split())[:_LONGEST]
    return str(failure(words, plain, None)) if f"failures.{plain}.why" in words else plain


def _state(row: dict[str, Any]) -> dict[str, str | None]:
    """What Qlara's word for the state means, with the reason."""
    state = clean(row.get("status")).strip().upper()
    if not state:
        return {}
    if state in _STATES:
        return {_STATES[state]: None}
    return {_FAILED[state]: row["error"]} if state in _FAILED else {"failed": row["error"] or row["status"]}
