"""Who may see what.

Owns the two decisions, both pure: ``may`` answers Datasette's permission questions, ``needs`` says what a path asks
for before any page runs. A page that nobody thought of is for administrators only.
"""

from collections.abc import Mapping
from enum import Enum

from promptsync.browse.settings import DATABASE, BrowseSettings

Actor = Mapping[str, object] | None

READ, ADMINISTER = "view-instance", "debug-menu"
"""The two rights a path can ask for, by the names that Datasette gives them."""

MONITOR = "monitor-freshness"
"""The right of whoever may read, and of a program that has sent a token: ``{"token": name}``."""

_READING = {READ, "view-database", "view-table", "view-query"}
_ADMINISTERING = {ADMINISTER, "permissions-debug", "execute-sql"}
_OPEN = ("/-/login", "/robots.txt", "/favicon.ico")
OPEN_FOLDERS = ("/-/assets/", "/-/static/", "/-/static-plugins/")
"""What pages are made of, pictures and styles: open, unless a route that another plugin adds answers there."""
_ACCOUNT = frozenset({"actor", "logout"})
_MONITORED = "/-/freshness.json"


class Need(Enum):
    """What a path asks of whoever requests it."""

    NOTHING = "nothing"
    MONITOR = MONITOR
    READ = READ
    ADMINISTER = ADMINISTER


def may(settings: BrowseSettings, actor: Actor, action: str, resource: object = None) -> bool | None:
    """Whether an actor (``{"id": name}``) may do what Datasette calls ``action``; None: not ours to decide.

    A name that is no longer in ``users`` has no rights, whatever its cookie says.
    """
    name = actor.get("id") if actor else None
    known = isinstance(name, str) and name in settings.users
    if action == MONITOR:
        return known or settings.anonymous or bool(actor and actor.get("token") in settings.tokens)
    if action in _READING:
        database = resource[0] if isinstance(resource, tuple) else resource
        return (known or settings.anonymous) and database in (None, DATABASE)
    if action in _ADMINISTERING:
        return known and name in settings.admins
    return False if action == "view-database-download" or not known else None


def needs(path: str, readable: frozenset[str] = frozenset()) -> Need:
    """What a request's path asks for. ``readable``: our pages below ``/-/``, by their first word.

    >>> needs("/-/login").value, needs("/mirror/contact.json").value, needs("/-/plugins.json").value
    ('nothing', 'view-instance', 'debug-menu')
    >>> needs("/-/people.csv", frozenset({"people"})).value
    'view-instance'
    """
    if path == _MONITORED:
        return Need.MONITOR
    if path in _OPEN or path.startswith(OPEN_FOLDERS):
        return Need.NOTHING
    if path.startswith("/-/"):
        page = path.removeprefix("/-/").partition("/")[0].partition(".")[0]
        return Need.READ if page in _ACCOUNT or page in readable else Need.ADMINISTER
    return Need.READ
