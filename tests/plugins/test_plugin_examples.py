"""The example plugins of the folder plugins/, against a real mirror and a real receiver."""

import base64
import csv
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from promptsync import PluginError, post_signed
from promptsync.clock import MICROS, iso_millis, system_clock
from promptsync.errors import ConfigError
from promptsync.testing import Kit
from tests.plugins.plugin_receiver import Receiver
from tests.plugins.plugin_samples import AT, EXAMPLES, contact, message, opt_out


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver(refusing=1)
    yield made
    made.close()


@pytest.fixture
def alert(kit: Kit, receiver: Receiver) -> Kit:
    (kit.folder / "alert.url").write_text(receiver.url)
    return kit.enable(EXAMPLES / "opt_out_alert.py", url={"file": "alert.url"})


def test_each_new_opt_out_is_posted(alert: Kit, receiver: Receiver) -> None:
    now = system_clock()
    recent, long_ago = iso_millis(now - 3600 * MICROS), iso_millis(now - 30 * 86_400 * MICROS)
    alert.load(
        "contact",
        [
            contact(1),
            contact(2, is_opted_out=True, opt_out_timestamp=recent),
            contact(3, is_opted_out=True, opt_out_timestamp=long_ago),
        ],
        as_of=iso_millis(now - 1800 * MICROS)[:19] + "Z",
    )
    alert.post("customer/optOut", opt_out(1, now // 1000))
    with pytest.raises(PluginError, match=r"^observers: the receiver answered 503$"):
        alert.tell()
    alert.tell()
    assert sorted(body["id"] for _, body in receiver.posts) == [1, 2]
    (told,) = [body for _, body in receiver.posts if body["id"] == 2]
    assert told == {"id": 2, "org_id": 1, "phone": "+14155550002", "opted_out_at": recent}
    assert len({key for key, _ in receiver.posts}) == 2


def test_posts_are_signed_as_the_standards_own_library_checks(kit: Kit, receiver: Receiver) -> None:
    receiver.left = 0
    secret = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
    (kit.folder / "alert.url").write_text(receiver.url)
    (kit.folder / "alert.secret").write_text(f"{secret}\n")
    kit.enable(EXAMPLES / "opt_out_alert.py", url={"file": "alert.url"}, secret={"file": "alert.secret"})
    kit.post("customer/optOut", opt_out(1, system_clock() // 1000))
    kit.notify()
    ((body, headers),) = receiver.raw
    assert Webhook(secret).verify(body, headers)["id"] == 1
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace(b"1", b"2"), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(f"whsec_{base64.b64encode(bytes(32)).decode()}").verify(body, headers)


@pytest.mark.parametrize(
    "secret", ["plain", "whsec_", "whsec_AAAA", "whsec_not*base64", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
)
def test_a_secret_that_is_none_is_refused_at_the_start(kit: Kit, secret: str) -> None:
    (kit.folder / "alert.url").write_text("https://example.org")
    (kit.folder / "alert.secret").write_text(secret)
    with pytest.raises(ConfigError, match="a signing secret is whsec_ and 24 to 64 bytes in base64"):
        kit.enable(EXAMPLES / "opt_out_alert.py", url={"file": "alert.url"}, secret={"file": "alert.secret"}).engine  # noqa: B018


def test_what_did_not_change_is_not_posted(alert: Kit, receiver: Receiver) -> None:
    receiver.left = 0
    now = system_clock() // 1000
    alert.post("customer/optOut", opt_out(1, now - 5000))
    alert.tell()
    alert.post("customer/optOut", opt_out(1, now - 5000))
    alert.post("customer/modified", {"orgId": 1, "customers": [{"id": 1, "displayName": "Zoe", "createdTimestamp": 1}]})
    alert.post("customer/optOut", opt_out(1, now, out=False))
    alert.tell()
    assert len(receiver.posts) == 1


def test_an_unreachable_receiver_is_named_without_its_address(kit: Kit) -> None:
    (kit.folder / "alert.url").write_text("http://127.0.0.1:9/token")
    kit.enable(EXAMPLES / "opt_out_alert.py", url={"file": "alert.url"})
    kit.post("customer/optOut", opt_out(1, int(time.time() * 1000)))
    with pytest.raises(PluginError, match="cannot be reached") as caught:
        kit.tell()
    assert "token" not in str(caught.value)


def test_an_address_in_plain_text_is_refused(kit: Kit) -> None:
    with pytest.raises(ConfigError, match=r"plugins\.opt_out_alert\.url must not be the secret itself"):
        kit.enable(EXAMPLES / "opt_out_alert.py", url="https://example.org").engine  # noqa: B018


def test_messages_get_their_topics(kit: Kit) -> None:
    kit.enable(EXAMPLES / "message_topics.py", topics={"housing": ["rent", "evict*"], "voting": ["ballot"]})
    kit.post("message/added", message(1, "They EVICTED us over the rent; my ballot?"))
    kit.post("message/added", message(2, "current parents"))
    kit.post("message/added", message(3, "rent", "TEAM_MEMBER"))
    kit.post("message/added", message(1, "They EVICTED us over the rent; my ballot?"))
    kit.post("message/added", {"orgId": 1, "message": {"id": 4, "userType": "CUSTOMER", "content": 5}})
    found = kit.rows("SELECT message_id, topic, org_id, word FROM message_topic ORDER BY topic")
    assert found == [
        {"message_id": 1, "topic": "housing", "org_id": 1, "word": "evicted"},
        {"message_id": 1, "topic": "voting", "org_id": 1, "word": "ballot"},
    ]
    assert kit.rows("SELECT count(*) AS n FROM message") == [{"n": 4}]


def test_changed_contacts_are_written_safely_each_night(kit: Kit) -> None:
    kit.enable(EXAMPLES / "csv_drop.py", folder="outbox")
    risky = ["=1+1", "+cmd", "-2", "@x", "\tx", 'Ana, "A"', "O'Hara"]
    kit.load("contact", [contact(n, display_name=name) for n, name in enumerate(risky, 1)])
    assert kit.tell() == 1
    (path,) = (kit.folder / "outbox").iterdir()
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["display_name"] for row in rows] == ["'=1+1", "'+cmd", "'-2", "'@x", "'\tx", 'Ana, "A"', "O'Hara"]
    assert rows[0]["phone"] == "+14155550001" and rows[0]["is_opted_out"] == "0"
    kit.load("contact", [contact(n, display_name=f"{n}") for n in range(1, 8)], as_of="2026-02-05T08:00:00Z")
    kit.post("customer/optOut", opt_out(3, AT + 200_000_000))
    assert kit.tell() == 1
    (second,) = set((kit.folder / "outbox").iterdir()) - {path}
    assert len(second.read_text().splitlines()) == 8
    assert kit.tell() == 0


def test_without_topics_it_does_not_start(kit: Kit) -> None:
    with pytest.raises(ConfigError, match="must name words"):
        kit.enable(EXAMPLES / "message_topics.py", topics={"housing": []}).engine  # noqa: B018


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_no_delivery(status: int) -> None:
    receiver = Receiver(redirecting=status)
    try:
        with pytest.raises(PluginError, match=f"answered {status}, a redirect"):
            post_signed(receiver.url, {"a": 1}, id_="1")
        assert (receiver.tries, receiver.gets) == (1, 0)
    finally:
        receiver.close()


def test_the_address_of_a_broken_receiver_is_not_said() -> None:
    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b"no HTTP\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer)
        thread.start()
        for url in (f"http://127.0.0.1:{server.getsockname()[1]}/TOKEN", "http://host:TOKEN/x", "http://[TOKEN/x"):
            with pytest.raises(PluginError, match="cannot be reached") as raised:
                post_signed(url, {"a": 1}, id_="1")
            assert "TOKEN" not in str(raised.value)
        thread.join()
