"""Both ways in are masked: a delivery, and the nightly file."""

from pathlib import Path

from promptsync.testing import Kit

CARD = "4111 1111 1111 1111"


def test_a_card_number_is_masked_whichever_way_it_comes(kit: Kit) -> None:
    kit.enable(Path(__file__).parent / "card_numbers.py")
    kit.post("message/added", {"orgId": 1, "message": {"id": 1, "content": f"It is {CARD}."}})
    kit.load(
        "message", [{"id": 2, "content": f"{CARD}, call +14155550123", "created_timestamp": "2026-01-01T00:00:00Z"}]
    )
    texts = [row["content"] for row in kit.rows("SELECT content FROM message ORDER BY id")]
    assert texts == ["It is [card number].", "[card number], call +14155550123"]
