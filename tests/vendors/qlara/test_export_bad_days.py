"""The API's bad days: what is waited out, what is tried again, what ends a job, and what it says then."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from export_stage import EXPECTED, Stage

from promptsync.clock import MICROS, system_clock
from promptsync.errors import ConfigError, Unavailable
from promptsync.places.patience import Patience
from promptsync.vendors.qlara.client import ExportClient
from promptsync.vendors.qlara.jobs import JobLimits


@pytest.mark.parametrize("in_header", [False, True])
def test_too_many_requests_waits_as_long_as_it_is_told(stage: Stage, in_header: bool) -> None:
    stage.faults.rate_limited, stage.faults.retry_after, stage.faults.in_header = 1, 0.6, in_header
    started = time.monotonic()
    assert stage.one()["state"] == "loaded"
    assert time.monotonic() - started >= 0.6
    assert len(stage.server.exports) == 1


def test_too_long_a_wait_is_left_for_later(stage: Stage) -> None:
    stage.faults.rate_limited, stage.faults.retry_after = 1, 3600
    with pytest.raises(Unavailable, match="3,600 seconds"):
        stage.one()
    assert {row["state"] for row in stage.exports.carry_on(None)} == {"loaded"}


@pytest.mark.parametrize("errors", [1, 2])
def test_server_errors_are_tried_again(stage: Stage, errors: int) -> None:
    stage.faults.errors = errors
    assert stage.one()["state"] == "loaded"
    assert stage.contacts() == EXPECTED


def test_server_that_stays_broken_is_left_for_later(stage: Stage) -> None:
    stage.faults.errors = 1000
    with pytest.raises(Unavailable):
        stage.one()
    stage.faults.errors = 0
    stage.open()
    assert [row["state"] for row in stage.exports.carry_on(None)] == ["loaded"]


@pytest.mark.parametrize("ahead", [0.0, 3600.0, -3600.0, 400 * 86_400.0])
def test_request_whose_answer_was_lost_is_found_again(stage: Stage, ahead: float) -> None:
    stage.faults.clock_ahead = ahead
    stage.one()
    stage.faults.lose_answers = 1
    job = stage.one()
    assert (job["state"], job["vendor_id"]) == ("loaded", "exp-2")
    assert len(stage.server.exports) == 2


def test_lost_request_that_never_arrived_is_made_again(stage: Stage) -> None:
    stage.faults.errors = 1  # the request itself fails, and leaves nothing behind
    assert stage.one()["vendor_id"] == "exp-1"
    assert stage.server.calls["POST /v1/exports/contacts"] == 2


@pytest.mark.parametrize("times", [1, 3])
def test_expired_link_is_regenerated(stage: Stage, times: int) -> None:
    stage.faults.expired, stage.faults.pending = times, 1
    job = stage.one()
    assert (job["state"], job["vendor_id"]) == ("loaded", "exp-1")
    assert stage.server.calls["POST /v1/exports/{id}"] == times


def test_link_that_never_works_ends_the_job(stage: Stage) -> None:
    stage.faults.expired = 1000
    job = stage.one()
    assert job["state"] == "failed"
    assert "6 attempts" in job["error"]


def test_link_that_the_download_host_rejects_is_regenerated(stage: Stage) -> None:
    stage.faults.link_dead = 2
    assert stage.one()["state"] == "loaded"
    assert stage.server.calls["POST /v1/exports/{id}"] == 2


@pytest.mark.parametrize("how", ["cut", "short", "gzip_cut", "slow", "page", "down"])
def test_broken_download_is_noticed_and_made_again(stage: Stage, how: str) -> None:
    stage.faults.file, stage.faults.bad_files = how, 1
    assert stage.one()["state"] == "loaded"
    assert stage.server.calls["GET /files/{id}"] == 2
    assert stage.contacts() == EXPECTED


@pytest.mark.parametrize("pages", [1, 2])
def test_page_in_place_of_an_answer_is_none(stage: Stage, pages: int) -> None:
    """Neither an empty listing nor a request that was accepted."""
    stage.faults.pages = pages
    job = stage.one()
    assert (job["state"], job["vendor_id"], len(stage.server.exports)) == ("loaded", "exp-1", 1)


@pytest.mark.parametrize("ahead", [0, 3_650 * 86_400 * MICROS])
def test_page_that_stays_in_place_of_an_export_ends_the_job_at_the_deadline(stage: Stage, ahead: int) -> None:
    """Also where the clock was ahead, and is put right meanwhile."""
    stage.faults.file, stage.limits = "page", JobLimits(deadline=1 << 50)
    stage.clock = lambda: system_clock() + ahead
    with pytest.raises(Unavailable, match="page in place of the export"):
        stage.open().one()
    assert stage.query("SELECT state FROM sync_job") == [("available",)]
    stage.clock, stage.limits = system_clock, JobLimits(deadline=0)
    stage.open()
    if ahead:
        with pytest.raises(Unavailable, match="page in place of the export"):
            stage.exports.carry_on(None)
    (job,) = stage.exports.carry_on(None)
    assert job["state"] == "failed"
    assert "page in place of the export" in job["error"]


@pytest.mark.parametrize("trouble", ["errors", "post_errors", "down", "page"])
def test_whoever_waits_is_not_kept_waiting_by_errors_alone(stage: Stage, trouble: str) -> None:
    """Many slices of a range: the patience is one for all. What is left is done by whoever has more of it."""
    stage.world.messages = [{"messageId": "1"}]
    stage.policy = replace(stage.policy, tries=50, first_backoff=0.05, longest_backoff=0.05, poll=(0.01, 0.01))
    stage.limits = JobLimits(deadline=1 << 50, attempts=50)
    stage.open()
    ids = stage.exports.request("messages", {"from": "2025-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"})
    assert len(ids) > 10
    before = _trouble(stage, trouble)
    with pytest.raises(Unavailable, match="stays open: the daemon carries it on"):
        stage.exports.carry_on(ids, patience=Patience(0.2))
    asked = before - _trouble_left(stage, trouble)
    assert asked < 50 + 3 * len(ids), "each job was tried as if it were alone"
    states = {state for (state,) in stage.query("SELECT state FROM sync_job")}
    assert states <= {"requested", "pending", "available"}
    stage.faults.errors = stage.faults.post_errors = 0
    stage.faults.file = "whole"
    assert {row["state"] for row in stage.exports.carry_on(None)} == {"loaded"}


def _trouble(stage: Stage, trouble: str) -> int:
    if trouble in ("down", "page"):
        stage.faults.file = trouble
    else:
        setattr(stage.faults, trouble, 1 << 20)
    return _trouble_left(stage, trouble)


def _trouble_left(stage: Stage, trouble: str) -> int:
    return stage.faults.bad_files if trouble in ("down", "page") else int(getattr(stage.faults, trouble))


def test_what_one_job_is_refused_keeps_no_other_from_being_carried_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = ExportClient.link

    async def refusing(self: ExportClient, vendor_id: str) -> str:
        if vendor_id == "exp-1":
            raise ConfigError("not this one")
        return await link(self, vendor_id)

    ids = [*stage.exports.request("contacts", {}), *stage.exports.request("contacts", {})]
    monkeypatch.setattr(ExportClient, "link", refusing)
    with pytest.raises(ConfigError, match="not this one"):
        stage.exports.carry_on(ids)
    assert stage.query("SELECT state FROM sync_job ORDER BY id") == [("available",), ("loaded",)]


def test_download_that_stays_slow_is_left_for_later(stage: Stage) -> None:
    stage.faults.file = "slow"
    with pytest.raises(Unavailable, match="too long"):
        stage.one()
    assert stage.query("SELECT state FROM sync_job") == [("available",)]


def test_download_that_stays_cut_ends_the_job(stage: Stage) -> None:
    stage.faults.file = "cut"
    job = stage.one()
    assert job["state"] == "failed"
    assert stage.contacts() == []


@pytest.mark.parametrize(
    ("bad", "good", "state"),
    [("8,perhaps", 1, "failed"), ("8,perhaps", 2, "loaded"), (",", 40, "failed"), ("8", 40, "loaded")],
)
def test_bad_rows_hold_an_export_as_they_hold_a_file(stage: Stage, bad: str, good: int, state: str) -> None:
    rows = "".join(f"{n},2026-02-01T10:00:00Z\n" for n in range(100, 100 + good))
    stage.world.text = f"id,updatedAt\n{bad}\n{rows}"
    job = stage.one()
    assert job["state"] == state
    assert len(stage.contacts()) == (good if state == "loaded" else 0)
    assert state == "loaded" or "The first, line 2" in job["error"]


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("https://files.example.org/x?sig=secret-part", "files.example.org"),
        ("http://files.example.org/x?sig=secret-part", "files.example.org"),
        ("http://allowed.example/x?sig=secret-part", "encryption"),
        ("https://169.254.169.254/latest/meta-data?sig=secret-part", "169.254.169.254"),
        ("https://[::ffff:10.0.0.1]/x?sig=secret-part", "10.0.0.1|::ffff"),
        ("file:///etc/passwd?sig=secret-part", "URL"),
    ],
)
def test_link_to_elsewhere_is_not_followed(stage: Stage, link: str, words: str) -> None:
    stage.more = {"allowed_hosts": ["allowed.example"]}
    stage.open()
    stage.faults.redirect_to = link
    job = stage.one()
    assert job["state"] == "failed"
    assert any(word in job["error"] for word in words.split("|"))
    assert "secret-part" not in job["error"]


def test_redirect_of_the_link_is_judged_too(stage: Stage) -> None:
    stage.faults.redirect_to, stage.faults.link_shape = "http://10.1.2.3/x", "redirect"
    assert "10.1.2.3" in stage.one()["error"]


def test_refusal_ends_the_job_with_the_vendors_words(stage: Stage) -> None:
    stage.faults.refuse = "listIds must not be empty, see https://x.example/?sig=secret-part"
    job = stage.one()
    assert job["state"] == "refused"
    assert "listIds must not be empty" in job["error"]
    assert "secret-part" not in job["error"]
    assert stage.exports.carry_on(None) == []


def test_failed_export_ends_the_job(stage: Stage) -> None:
    stage.faults.after, stage.faults.says_ready = "failed", False
    assert stage.one()["state"] == "failed"


def test_export_that_never_finishes_ends_at_the_deadline(stage: Stage) -> None:
    stage.faults.pending, stage.faults.before, stage.faults.says_ready = 1 << 30, "BREWING", False
    job = stage.one()
    assert job["state"] == "failed"
    assert "brewing" in job["error"]


def test_wrong_key_refuses_a_request(stage: Stage) -> None:
    stage.server.key = "another"
    job = stage.one()
    assert job["state"] == "refused"
    assert "api_key" in job["error"]


def test_key_that_is_withdrawn_leaves_open_jobs_open(stage: Stage) -> None:
    stage.faults.pending, stage.limits = 1 << 30, JobLimits(deadline=1 << 50)
    stage.open()
    ids = stage.exports.request("contacts", {})
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(stage.exports.carry_on, ids)
        while stage.query("SELECT state FROM sync_job") != [("pending",)]:
            time.sleep(0.01)
        stage.server.key = "another"
        with pytest.raises(ConfigError, match="api_key"):
            running.result()
    assert stage.query("SELECT state FROM sync_job") == [("pending",)]


def test_unreachable_vendor_is_left_for_later_without_an_attempt(stage: Stage) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address, stage.server.address = stage.server.address, f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        stage.open()
        with pytest.raises(Unavailable, match="cannot be reached"):
            stage.one()
    assert stage.query("SELECT state, attempts FROM sync_job") == [("requested", 0)]
    stage.server.address = address
    stage.open()
    assert [row["state"] for row in stage.exports.carry_on(None)] == ["loaded"]


def test_stopping_ends_the_wait_at_once(stage: Stage) -> None:
    stage.faults.pending = 1 << 30
    ids = stage.exports.request("contacts", {})
    stage.stopping.set()
    with pytest.raises(Unavailable, match="stopping"):
        stage.exports.carry_on(ids)


@pytest.mark.parametrize(
    ("kind", "asked", "words"),
    [
        ("messages", {}, "--from"),
        ("delivery-reports", {}, "--campaign-id or --from and --to"),
        ("contacts", {"from": "2026-01-01"}, "leave that out"),
        ("messages", {"from": "2026-02-01", "to": "2026-01-01"}, "ends before"),
        ("opt-outs", {}, "choose one of"),
    ],
)
def test_what_cannot_be_asked_for_is_said(stage: Stage, kind: str, asked: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        stage.exports.request(kind, asked)
    assert stage.query("SELECT count(*) FROM sync_job") == [(0,)]
