"""A lake in an object store: the same commands, the same tables."""

import gzip
import json
import urllib.request
from pathlib import Path

import pytest
from obstore.store import S3Store

from tests.merge.files import write_file
from tests.merge.model import File
from tests.merge.world_values import NIGHTS
from tests.places.counterparts import s3_server

from .home import Home
from .test_run import tags

ADA, BEA = (7319030, "Ada", "+12125550173"), (8642041, "Bea", "+12125550184")
KEYS = {"access_key_id": "key", "secret_access_key": "a secret", "region": "us-east-1"}


@pytest.mark.slow
def test_a_lake_in_an_object_store(tmp_path: Path) -> None:
    with s3_server(tmp_path) as endpoint:
        store = S3Store("acme", endpoint=endpoint, client_options={"allow_http": True}, **KEYS)  # type: ignore[arg-type]
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/acme", method="PUT"))  # noqa: S310  this machine
        for name in ("access", "secret"):
            (tmp_path / f"{name}.key").write_text({"access": "key", "secret": "a secret"}[name])
        keys = 'access_key = { file = "access.key" }\nsecret_key = { file = "secret.key" }'
        home = Home(tmp_path, f'endpoint = "{endpoint}"\n{keys}\n', "s3://acme/lake")
        assert home.run("init").exit_code == 0
        for night in (0, 1):
            path = write_file(tmp_path, tags(night, *"abcdef"[: 6 - night]))
            store.put(f"lake/incoming/{path.name}", path)
            result = home.run("run")
            assert result.exit_code == 0, result.output
        options = {f"AWS_{name.upper()}": value for name, value in KEYS.items()}
        options |= {"AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": "true"}
        found = {row["name"]: row["_absent_since"] for row in home.rows("contact_tag", options)}
        assert found == dict.fromkeys("abcde") | {"f": "2026-02-02T08:00:00.000Z"}
        people = write_file(tmp_path, File("contact", 1, NIGHTS[0], ("id", "display_name", "phone"), (ADA, BEA)))
        store.put(f"lake/incoming/{people.name}", people)
        body = json.dumps({"orgId": 1, "customers": [{"id": one[0], "displayName": one[1]} for one in (ADA, BEA)]})
        line = {"received_at": "2026-02-04T00:00:00.000001Z", "path": "customer/modified", "body": body}
        store.put("lake/deliveries/some.jsonl", f"{json.dumps(line)}\n".encode())
        assert home.run("run").exit_code == 0
        result = home.run("erase", "--phone", ADA[2], "--yes")
        assert result.exit_code == 0, result.output
        held = {one["path"]: bytes(store.get(one["path"]).bytes()) for page in store.list() for one in page}
        assert not [path for path, content in held.items() if b"7319030" in content or b"Ada" in content]
        assert b"Bea" in held["lake/deliveries/some.jsonl"]
        assert (
            b",Bea,+12125550184\n" in (left := gzip.decompress(held[f"lake/incoming/{people.name}"]))
            and b"Ada" not in left
        )
        assert [row["display_name"] for row in home.rows("contact", options)] == ["Bea"]
        assert home.run("run").exit_code == 0 and home.run("erase", "list").exit_code == 0
        home.config.write_text(home.config.read_text().replace(endpoint, "http://127.0.0.1:9"))
        result = home.run("status")
        assert result.exit_code == 3 and len(result.stderr.splitlines()) == 1
