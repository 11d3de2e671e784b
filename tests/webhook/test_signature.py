"""Who is let in: signatures, Basic and constant headers, over bytes, whatever a sender sends."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from promptsync.errors import ConfigError
from promptsync.webhook.signature import Authenticator, signature_form

SECRET, BODY = b"It's a Secret to Everybody", b"Hello, World!"
DIGEST = "01dc10d0c83e72ed246219cdd91669667fe2ca59"
SHA256 = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def check(authenticator: Authenticator, *headers: tuple[str, str], body: bytes = BODY) -> bool:
    return authenticator.examine(CIMultiDict(headers), body).fault is None


def test_the_signer_is_known_by_its_place() -> None:
    authenticator = Authenticator(secrets=(b"new", SECRET))
    assert authenticator.examine(CIMultiDict({"X-Hub-Signature": DIGEST}), BODY) == (None, 1)
    assert authenticator.examine(CIMultiDict({"X-Hub-Signature": DIGEST}), BODY + b" ") == ("wrong_signature", None)


def test_the_public_vector() -> None:
    assert check(Authenticator(secrets=(SECRET,)), ("X-Hub-Signature", f"sha1={DIGEST}"))


@pytest.mark.parametrize(
    "value", [DIGEST, DIGEST.upper(), f"sha1={DIGEST.upper()}", f"SHA1={DIGEST}", f" sha1={DIGEST} "]
)
def test_spellings(value: str) -> None:
    assert check(Authenticator(secrets=(SECRET,)), ("x-hub-signature", value))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "sha1=",
        DIGEST[:-1],
        DIGEST + "0",
        "0" * 40,
        f"sha256={SHA256}",
        SHA256,
        f"sha256={DIGEST}",
        f"sha1=sha1={DIGEST}",
        f"sha1= {DIGEST}",
        f"{DIGEST}, {DIGEST}",
        "é" * 40,
        "\udcff" * 40,
        "\0" * 40,
        "a" * 100_000,
        "\uff101dc10d0c83e72ed246219cdd91669667fe2ca59",
    ],
)
def test_wrong_signatures(value: str) -> None:
    assert not check(Authenticator(secrets=(SECRET,)), ("X-Hub-Signature", value))


def test_missing_doubled_and_of_another_body() -> None:
    authenticator, right = Authenticator(secrets=(SECRET,)), ("X-Hub-Signature", DIGEST)
    assert not check(authenticator)
    assert not check(authenticator, right, right)
    assert not check(authenticator, right, ("x-hub-signature", "x"))
    assert not check(authenticator, right, body=BODY + b" ")


def test_any_secret_while_rotating() -> None:
    assert check(Authenticator(secrets=(b"new", SECRET)), ("X-Hub-Signature", DIGEST))
    assert check(Authenticator(secrets=(SECRET, b"new")), ("X-Hub-Signature", DIGEST))
    assert not check(Authenticator(secrets=(b"new", b"newer")), ("X-Hub-Signature", DIGEST))


def test_one_authenticator_checks_many_bodies() -> None:
    authenticator = Authenticator(secrets=(SECRET,))
    for _ in range(2):
        assert not check(authenticator, ("X-Hub-Signature", DIGEST), body=b"other")
        assert check(authenticator, ("X-Hub-Signature", DIGEST))


def basic(text: bytes, scheme: str = "Basic") -> tuple[str, str]:
    return ("Authorization", f"{scheme} {base64.b64encode(text).decode()}")


def test_basic() -> None:
    authenticator = Authenticator(basic=("prömpt".encode(), b"a:b"))
    right = basic("prömpt:a:b".encode())
    assert check(authenticator, right)
    assert check(authenticator, basic("prömpt:a:b".encode(), "bAsIc"))
    for wrong in (
        basic(b"prompt:a:b"),
        basic("prömpt:a:b:".encode()),
        basic("prömpt:a:b".encode(), "Bearer"),
        ("Authorization", right[1].replace(" ", "")),
        ("Authorization", right[1].rstrip("=")),
        ("Authorization", f"{right[1][:8]}?{right[1][8:]}"),
        ("Authorization", "Basic \udcff"),
        ("Authorization", "Basic"),
        ("Authorization", ""),
    ):
        assert not check(authenticator, wrong)
    assert not check(authenticator, right, right)
    assert not check(authenticator)


def test_constant_headers() -> None:
    authenticator = Authenticator(headers=(("X-Relay", "é".encode()),), open_to_all=True)
    assert check(authenticator, ("x-relay", "é"))
    assert not check(authenticator, ("X-Relay", "e"))
    assert not check(authenticator, ("X-Relay", "é"), ("X-Relay", "é"))
    assert not check(authenticator)


def test_all_that_is_configured_must_hold() -> None:
    authenticator = Authenticator(secrets=(SECRET,), basic=(b"u", b"p"), headers=(("X-A", b"1"), ("X-B", b"2")))
    right = [("X-Hub-Signature", DIGEST), basic(b"u:p"), ("X-A", "1"), ("X-B", "2")]
    assert check(authenticator, *right)
    for left_out in range(len(right)):
        assert not check(authenticator, *right[:left_out], *right[left_out + 1 :])


def test_fails_closed() -> None:
    assert not check(Authenticator())
    assert not check(Authenticator(headers=(("X-A", b"1"),)), ("X-A", "1"))
    assert check(Authenticator(open_to_all=True))
    assert not check(Authenticator(secrets=(SECRET,), open_to_all=True))
    for empty in ({"secrets": (SECRET, b"")}, {"basic": (b"u", b"")}, {"headers": (("X-A", b""),)}):
        with pytest.raises(ConfigError, match="is empty"):
            Authenticator(**empty)  # type: ignore[arg-type]


def test_shows_no_secret() -> None:
    shown = repr(Authenticator(secrets=(SECRET,), basic=(b"u", b"hunter2"), headers=(("X-A", b"hunter2"),)))
    assert "Secret" not in shown
    assert "hunter2" not in shown


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_never_raises_and_never_lets_in_by_chance(sent: bytes, body: bytes) -> None:
    value = sent.decode("utf-8", "surrogateescape")
    authenticator = Authenticator(secrets=(SECRET,), basic=(b"u", b"p"))
    assert not check(authenticator, ("X-Hub-Signature", value), ("Authorization", f"Basic {value}"), body=body)


@pytest.mark.parametrize(
    ("value", "form"), [(DIGEST, "hex"), (f" sha1={DIGEST} ", "sha1=hex"), (f"SHA1={DIGEST.upper()}", "SHA1=HEX")]
)
def test_its_form_is_told_without_its_value(value: str, form: str) -> None:
    assert check(Authenticator(secrets=(SECRET,)), ("X-Hub-Signature", value))
    assert signature_form(CIMultiDict({"X-Hub-Signature": value})) == form
