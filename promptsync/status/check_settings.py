"""Checks of a configuration that has been read: its secrets, and who may deliver.

Owns what is asked of a valid configuration beyond its form. Opens the secrets to see that they open; their values go
nowhere.
"""

from collections.abc import Iterator

from promptsync.config import Config, Secret, require_authentication
from promptsync.config.section import Section
from promptsync.errors import ConfigError
from promptsync.plugins.declared import Finding, note, ok, problem

_OF_THE_SERVICE = ("env", "credential")


def secrets_of(section: Section, key: str = "") -> Iterator[tuple[str, Secret]]:
    """Every secret that a configuration names, with its dotted key."""
    for name, value in section:
        yield from _secrets_in(value, f"{key}.{name}" if key else name)


def _secrets_in(value: object, key: str) -> Iterator[tuple[str, Secret]]:
    if isinstance(value, Secret):
        yield key, value
    elif isinstance(value, Section):
        yield from secrets_of(value, key)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _secrets_in(inner, f"{key}.{name}")
    elif isinstance(value, tuple):
        for number, inner in enumerate(value, 1):
            yield from _secrets_in(inner, f"{key}[{number}]")


def check_secrets(config: Config, *, daemon: bool) -> Iterator[Finding]:
    """Whether every secret opens, and its file only for those it concerns.

    ``daemon``: one runs. What only the service's environment holds cannot be seen from a shell: with a running daemon
    that is no problem.
    """
    found = list(secrets_of(config))
    bad = 0
    for key, secret in found:
        for says in secret.problems():
            bad += 1
            if secret.kind in _OF_THE_SERVICE and daemon:
                yield note("secrets", f"{key} cannot be seen from here ({says}); the running daemon may well have it.")
            else:
                yield problem("secrets", f"{key}: {says}.")
    if not bad:
        yield ok("secrets", f"{len(found)} named, all can be opened." if found else "None is named.")


def check_authentication(config: Config) -> Finding:
    """Whether a delivery must prove where it comes from."""
    webhook = config.webhook
    try:
        require_authentication(webhook)
    except ConfigError as error:
        return problem("authentication", f"The daemon will not start: {error}.")
    if len(webhook.secrets) > 1:
        return note(
            "authentication",
            f"{len(webhook.secrets)} secrets of the webhook are accepted; once the vendor uses the last of them: "
            "promptsync secret rotate webhook --finish",
        )
    asked = []
    if webhook.secrets:
        asked.append("a signature (X-Hub-Signature)")
    if webhook.basic_auth:
        asked.append("a user and password")
    asked += [f"the header {name}" for name in webhook.headers]
    if not (webhook.secrets or webhook.basic_auth):
        return note("authentication", f"Everyone on this machine can deliver to {webhook.host}, as the file allows.")
    return ok("authentication", f"A delivery must show {' and '.join(asked)}.")


def check_browse(config: Config, problems: tuple[str, ...]) -> Iterator[Finding]:
    """``problems``: what is wrong with the settings of the pages, as they say themselves."""
    browse = config.browse
    if not browse.anonymous and not browse.users:
        yield note(
            "browse",
            "The pages are not set up: give browse.users a password hash each, or on this machine alone set "
            "browse.anonymous = true.",
        )
        return
    for says in problems:
        yield problem("browse", says)
    if browse.anonymous and not problems:
        yield note("browse", f"Whoever can use this machine can read the pages on {browse.host} without a password.")
    elif not problems:
        yield ok("browse", f"{len(browse.users)} can log in, {len(browse.admins)} of them may run SQL.")
