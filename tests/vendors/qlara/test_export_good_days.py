"""An export from request to rows when the API does what it says, in every shape that its documentation leaves open."""

import pytest
from export_stage import EXPECTED, KEY, RANGE, Stage, as_csv

from promptsync.clock import MICROS, iso_millis, parse_iso, system_clock
from promptsync.vendors.qlara.run import ExportRun


def test_rows_are_merged_and_the_job_is_loaded(stage: Stage) -> None:
    job = stage.one()
    assert (job["state"], job["vendor_id"], job["error"]) == ("loaded", "exp-1", None)
    assert stage.contacts() == EXPECTED
    assert stage.query("SELECT id, state, rows, inserted FROM sync_file") == [(job["file_id"], "merged", 2, 2)]
    assert list((stage.folder / "data" / "exports").iterdir()) == []


@pytest.mark.parametrize("shape", ["exportId", "id", "export", "bare", "nothing"])
def test_every_shape_of_id(stage: Stage, shape: str) -> None:
    stage.faults.id_shape = shape
    assert stage.one()["vendor_id"] == "exp-1"
    assert stage.contacts() == EXPECTED


@pytest.mark.parametrize("shape", ["bare", "content", "data", "items", "exports", "results"])
def test_every_shape_of_listing(stage: Stage, shape: str) -> None:
    stage.faults.list_shape, stage.faults.pending = shape, 1
    assert stage.one()["state"] == "loaded"
    assert stage.server.calls["GET /v1/exports"] >= 2


@pytest.mark.parametrize("shape", ["url", "downloadUrl", "link", "string", "text", "redirect"])
def test_every_shape_of_link(stage: Stage, shape: str) -> None:
    stage.faults.link_shape = shape
    assert stage.one()["state"] == "loaded"


@pytest.mark.parametrize("how", ["whole", "gzip"])
def test_plain_and_gzip(stage: Stage, how: str) -> None:
    stage.faults.file = how
    assert stage.one()["state"] == "loaded"
    assert stage.contacts() == EXPECTED


def test_not_downloaded_before_it_is_available(stage: Stage) -> None:
    stage.faults.not_available = 3
    assert stage.one()["state"] == "loaded"
    assert stage.server.calls["GET /v1/exports"] >= 4
    assert stage.server.calls["GET /v1/exports/{id}"] == 1


def test_unknown_status_is_waited_for(stage: Stage) -> None:
    stage.faults.pending, stage.faults.before, stage.faults.says_ready = 2, "BREWING", False
    assert stage.one()["state"] == "loaded"


def test_more_jobs_than_one_page_lists(stage: Stage) -> None:
    for _ in range(12):
        stage.exports.request("contacts", {})
    assert {row["state"] for row in stage.exports.carry_on(None)} == {"loaded"}


def test_jobs_whose_ids_must_be_found_do_not_take_each_others(stage: Stage) -> None:
    stage.faults.id_shape, stage.faults.pending = "nothing", 1
    for _ in range(3):
        stage.exports.request("contacts", {})
    rows = stage.exports.carry_on(None)
    assert [(row["state"], row["vendor_id"]) for row in rows] == [("loaded", f"exp-{n}") for n in (1, 2, 3)]


def test_lost_request_does_not_take_the_export_of_the_next(stage: Stage) -> None:
    stage.faults.id_shape, stage.faults.errors = "nothing", 1
    for name in ("a", "b"):
        stage.exports.request("contacts", {"list_ids": [name]})
    rows = stage.exports.carry_on(None)
    asked = [stage.server.exports[row["vendor_id"]].asked for row in rows]
    assert asked == [{"listIds": ["a"]}, {"listIds": ["b"]}]


def test_every_state_is_written_down(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    states, save = [], ExportRun._save
    monkeypatch.setattr(ExportRun, "_save", lambda self, job: states.append(job.state.value) or save(self, job))
    stage.one()
    assert states == ["requested", "pending", "available", "downloaded"]
    assert stage.query("SELECT state FROM sync_job") == [("loaded",)]


def test_export_of_nothing_is_loaded(stage: Stage) -> None:
    stage.world.text = "id,phone\n"
    assert stage.one()["state"] == "loaded"
    stage.server.rows = lambda *_: ""
    assert stage.one()["state"] == "loaded"
    assert stage.query("SELECT rows FROM sync_file") == [(0,), (0,)]


def test_second_export_changes_nothing_but_what_changed(stage: Stage) -> None:
    stage.one()
    revisions = stage.query("SELECT id, _rev FROM qlara_contact ORDER BY id")
    stage.world.contacts[0] |= {"First Name": "Anna", "updatedAt": "2026-02-02T10:00:00Z"}
    job = stage.one()
    assert stage.query("SELECT updated, unchanged FROM sync_file WHERE id = ?", job["file_id"]) == [(1, 1)]
    assert stage.contacts()[0][2] == "Anna"
    assert stage.query("SELECT _rev FROM qlara_contact WHERE id = '8'") == [revisions[1][1:]]


def test_older_row_that_arrives_later_loses(stage: Stage) -> None:
    stage.one()
    stage.world.contacts[0] |= {"First Name": "Stale", "updatedAt": "2026-01-01T00:00:00Z"}
    stage.one()
    assert stage.contacts() == EXPECTED


def test_absence_never_means_deleted(stage: Stage) -> None:
    stage.one()
    del stage.world.contacts[1]
    stage.one()
    assert stage.contacts() == EXPECTED


def test_unknown_columns_are_kept_and_noted(stage: Stage) -> None:
    stage.one()
    assert stage.query("SELECT id, tier FROM qlara_contact ORDER BY id") == [("7", "gold"), ("8", None)]
    assert stage.query('SELECT kind, "table", name FROM sync_drift') == [("column", "qlara_contact", "tier")]
    stage.open()
    stage.world.text = as_csv([{"TIER": "silver", "id": "7", "_note": "x", "updatedAt": "2026-03-01"}])
    assert stage.one()["state"] == "loaded"
    assert stage.query("SELECT tier, x__note, first_name FROM qlara_contact WHERE id = '7'") == [("silver", "x", "Ana")]


def test_long_range_is_cut_into_overlapping_slices(stage: Stage) -> None:
    stage.world.messages = [{"messageId": "1", "sendDate": "2026-02-01T00:00:00Z"}]
    rows = stage.export("messages", **{"from": "2026-01-01T00:00:00Z", "to": "2026-03-15T00:00:00Z"})
    assert [row["state"] for row in rows] == ["loaded"] * 3
    asked = [(body["startDateTime"], body["endDateTime"]) for _, body in stage.server.asked]
    assert asked[0] == ("2026-01-01T00:00:00.000+00:00", "2026-02-01T00:00:00.000+00:00")
    assert asked[1][0] == "2026-01-31T23:00:00.000+00:00"
    assert asked[-1][1] == "2026-03-15T00:00:00.000+00:00"


def test_what_is_asked_for_reaches_the_vendor(stage: Stage) -> None:
    stage.world.messages = [{"messageId": "1"}]
    stage.one("contacts", list_ids=["a", "b"])
    stage.one("delivery-reports", campaign_id="c9")
    stage.one("messages", channel="SMS", **RANGE)
    kinds = [(kind, sorted(body)) for kind, body in stage.server.asked]
    assert kinds == [
        ("contacts", ["listIds"]),
        ("delivery-reports", ["campaignId"]),
        ("messages", ["channel", "endDateTime", "startDateTime"]),
    ]


def test_newest_messages_without_an_export(stage: Stage) -> None:
    stage.world.messages = [
        {"messageId": n, "channel": "SMS", "body": f"text {n}", "sendDate": "2026-02-01T10:00:00+01:00", "cost": 0.05,
         "parts": 1}
        for n in range(230)
    ]  # fmt: skip
    counts = stage.exports.newest(dict(RANGE))
    assert counts == {"rows": 230, "inserted": 230, "updated": 0, "rejected": 0}
    row = stage.query("SELECT id, sent_at, cost, parts, body FROM qlara_message WHERE id = '229'")
    assert row == [("229", "2026-02-01T09:00:00.000Z", 0.05, 1, "text 229")]


def test_the_key_goes_to_the_api_alone(stage: Stage) -> None:
    stage.one()
    sent = dict(stage.server.keys)
    assert sent["/v1/exports"] == KEY
    assert sent["/files/exp-1"] is None


def test_the_link_and_the_key_are_written_nowhere(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.one()
    everything = b"".join(path.read_bytes() for path in (stage.folder / "data").rglob("*") if path.is_file())
    said = capsys.readouterr()
    for secret in (b"signed-secret", KEY.encode()):
        assert secret not in everything
        assert secret.decode() not in said.out + said.err


def test_schedule_asks_again_for_what_may_have_changed(stage: Stage) -> None:
    stage.world.messages = [{"messageId": "1"}]
    assert stage.exports.scheduled("messages") == "1 exports of messages merged"
    stage.exports.scheduled("messages")
    first, second = (body for _, body in stage.server.asked)
    assert first["startDateTime"] < second["startDateTime"] < first["endDateTime"] <= second["endDateTime"]
    assert stage.exports.scheduled("contacts") == "1 exports of contacts merged"


@pytest.mark.parametrize("how", ["a range that has not come", "a clock that was ahead"])
def test_no_export_covers_what_had_not_happened_when_it_was_asked_for(stage: Stage, how: str) -> None:
    stage.world.messages = [{"messageId": "1"}]
    stage.exports.scheduled("messages")
    if how == "a range that has not come":
        now = system_clock()
        (
            stage.one(
                "messages", **{"from": iso_millis(now - 86_400 * MICROS), "to": iso_millis(now + 20 * 86_400 * MICROS)}
            )
        )
    else:
        stage.clock = lambda: system_clock() + 400 * 86_400 * MICROS
        stage.open()
        stage.exports.scheduled("messages")
        stage.clock = system_clock
        stage.open()
    first, *_ = (body for _, body in stage.server.asked)
    stage.exports.scheduled("messages")
    _, last = stage.server.asked[-1]
    assert parse_iso(last["startDateTime"]) <= parse_iso(first["endDateTime"])
    assert parse_iso(last["endDateTime"]) <= system_clock()
