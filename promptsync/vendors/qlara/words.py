"""What people call Qlara's tables and columns; where a column's name says it, there is no entry."""

from typing import Final

TITLES: Final = {
    "qlara_contact": "People in Qlara",
    "qlara_delivery_report": "Qlara's delivery reports",
    "qlara_message": "Messages through Qlara",
}

LABELS: Final = {
    "body": "Text",
    "destination": "To",
    "error": "Why it failed",
    "message_id": "Message",
    "parts": "Segments",
    "sender": "From",
    "updated_at": "Changed",
}
