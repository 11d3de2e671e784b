"""Pledges come in any order; the newest one counts."""

from pathlib import Path

from promptsync.testing import Kit


def test_the_newest_pledge_counts_and_each_is_kept(kit: Kit) -> None:
    kit.enable(Path(__file__).parent / "pledges.py")
    kit.post("pledge/added", {"orgId": 1, "contactId": 7, "dollars": 25}, at="2026-02-05T08:00:00Z")
    kit.post("pledge/added", {"orgId": 1, "contactId": 7, "dollars": 10}, at="2026-02-04T08:00:00Z")
    lost = kit.post("pledge/added", {"orgId": 1, "dollars": 5})
    (contact,) = kit.rows("SELECT id, pledged_dollars, pledged_at FROM contact")
    assert contact == {"id": 7, "pledged_dollars": 25, "pledged_at": "2026-02-05T08:00:00.000Z"}
    assert [row["dollars"] for row in kit.rows("SELECT dollars FROM pledge ORDER BY event_id")] == [25, 10]
    assert kit.event(lost)["error"] == "contactId is missing"
