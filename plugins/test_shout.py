"""Messages are sent as the vendor sends them, and the table read."""

from pathlib import Path

from promptsync.testing import Kit


def test_capitals_are_counted(kit: Kit) -> None:
    kit.enable(Path(__file__).parent / "shout.py", share=0.5)
    for id_, text in ((7, "HELP me"), (8, "Help me"), (9, None)):
        kit.post("message/added", {"orgId": 1, "message": {"id": id_, "content": text}})
    assert kit.rows("SELECT message_id, letters FROM shout") == [{"message_id": 7, "letters": 4}]
