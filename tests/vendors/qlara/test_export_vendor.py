"""Another vendor with the same job model is another table: other paths, names, words, shapes and headers."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from export_stage import FAST, LIMITS

from promptsync.clock import system_clock
from promptsync.loading.export import ExportLoader
from promptsync.merge.guards import Guards
from promptsync.store import jobs
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema
from promptsync.vendors.qlara.call import Access
from promptsync.vendors.qlara.files import ExportFiles
from promptsync.vendors.qlara.jobs import Job, row_of
from promptsync.vendors.qlara.profile import QLARA, KindProfile, VendorProfile
from promptsync.vendors.qlara.run import ExportRun, RunSettings

PEOPLE = KindProfile(
    name="people",
    table="qlara_contact",
    path="/v2/tasks/people",
    types=("peopledump",),
    fields={"groups": "in_groups"},
    needs=((),),
    slice_days=0,
    overlap_minutes=0,
    again_days=0,
    columns={"id": ("ref",), "phone": ("line",), "updated_at": ("touched",)},
    changed="updated_at",
    identity=(("phone",),),
)
ACME = replace(
    QLARA,
    name="acme",
    key_header="X-Token",
    jobs_path="/v2/tasks",
    id_names=("ticket",),
    wrappers=("task", "file"),
    list_names=("tasks",),
    status_names=("phase",),
    type_names=("what",),
    created_names=("born",),
    ready_names=(),
    link_names=("href",),
    done=("served",),
    expired=("stale",),
    failed=("dropped",),
    kinds=(PEOPLE,),
)


class Acme:
    """Its API: a job is cooked, served once stale, renewed, and downloaded."""

    def __init__(self) -> None:
        self.phases = ["cooking", "stale", "cooking", "served"]
        self.asked: list[tuple[str, str, str | None, Any]] = []

    async def answer(self, request: web.Request) -> web.Response:
        token = request.headers.get("X-Token")
        body = await request.json() if request.method == "POST" and request.can_read_body else None
        self.asked.append((request.method, request.path, token, body))
        match request.method, request.path:
            case "POST", "/v2/tasks/people":
                return web.json_response({"task": {"ticket": 77}}, status=202)
            case "GET", "/v2/tasks" if request.query["page"] != "0":
                return web.json_response({"tasks": []})
            case "GET", "/v2/tasks":
                phase = self.phases.pop(0) if len(self.phases) > 1 else self.phases[0]
                return web.json_response({"tasks": [{"ticket": 77, "what": "people-dump", "phase": phase}]})
            case "POST", "/v2/tasks/77":
                return web.json_response({}, status=202)
            case "GET", "/v2/tasks/77":
                return web.json_response({"file": {"href": f"http://{request.host}/dump"}})
            case "GET", "/dump":
                return web.Response(text="Ref|Line|Touched\np1|+15550100|2026-02-01T10:00:00Z\n")
        return web.Response(status=404)


async def exported(mirror: Mirror, profile: VendorProfile) -> Acme:
    server = Acme()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    access = Access(f"http://127.0.0.1:{runner.addresses[0][1]}", b"token-1")
    loader = ExportLoader(mirror, ZoneInfo("UTC"), Guards(), system_clock)
    files = ExportFiles(mirror, loader, profile, system_clock)
    settings = RunSettings(profile, access, FAST, LIMITS, files, system_clock)
    now = system_clock()
    row = row_of(Job("people", {"groups": ["a"]}, requested_at=now, changed_at=now))
    job = mirror.writer.run(lambda connection: jobs.add(connection, row))
    run = ExportRun(mirror, loader, settings, threading.Event(), lambda *_: None)
    await asyncio.to_thread(asyncio.run, run.drive(frozenset({job})))
    await runner.cleanup()
    return server


async def test_another_profile_is_all_that_another_vendor_takes(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror.db", declared_schema())
    try:
        server = await exported(mirror, ACME)
        with mirror.reading() as connection:
            (job,) = jobs.newest(connection, 2)
            rows = connection.execute("SELECT id, phone, updated_at FROM qlara_contact").fetchall()
            source = connection.execute("SELECT source, name FROM sync_file").fetchall()
    finally:
        mirror.close()
    assert (job["state"], job["vendor_id"], rows) == ("loaded", "77", [("p1", "+15550100", "2026-02-01T10:00:00.000Z")])
    assert source == [("acme", "people-77.csv")]
    assert ("POST", "/v2/tasks/people", "token-1", {"in_groups": ["a"]}) in server.asked
    assert [path for method, path, *_ in server.asked if method == "POST"][1:] == ["/v2/tasks/77"]
    assert [token for _, path, token, _ in server.asked if path == "/dump"] == [None]
