"""Export jobs as rows and back: the machine's ``Job`` and the columns of ``sync_job``. Owns the two spellings."""

import json
from collections.abc import Mapping
from typing import Any

from promptsync.clock import iso_millis, parse_iso
from promptsync.vendors.qlara.jobs import Job, State


def row_of(job: Job) -> dict[str, Any]:
    """The columns of a job but its id. Instants are cut to milliseconds."""
    return {
        "type": job.kind,
        "range": json.dumps(job.params, sort_keys=True),
        "vendor_id": job.vendor_id,
        "state": job.state.value,
        "attempts": job.attempts,
        "requested_at": iso_millis(job.requested_at),
        "changed_at": iso_millis(job.changed_at),
        "file_id": job.file_id,
        "error": job.error,
    }


def job_of(row: Mapping[str, Any]) -> Job:
    """The job that a row holds."""
    return Job(
        id=row["id"],
        kind=row["type"],
        params=json.loads(row["range"]),
        vendor_id=row["vendor_id"],
        state=State(row["state"]),
        attempts=row["attempts"],
        requested_at=parse_iso(row["requested_at"]),
        changed_at=parse_iso(row["changed_at"]),
        file_id=row["file_id"],
        error=row["error"],
    )
