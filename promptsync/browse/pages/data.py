"""All data: every table by its title, from the declarations alone, with the counts of the last nightly exports.

Datasette's own list asks the database some 500 things about its tables each time; this one asks what was taken over.
It stands where Datasette's does, which still answers an administrator's SQL.
"""

from promptsync.browse.page import Page, Shown, Visit
from promptsync.browse.queries.campaigns import mirrored
from promptsync.browse.queries.freshness import nightly
from promptsync.browse.queries.tables import other_tables
from promptsync.browse.settings import DATABASE


def all_data(visit: Visit) -> Shown:
    """The page. ``counts``: rows of the newest exports by table; ``others``: what is there and not declared."""
    counts: dict[str, int] = {}
    for row in nightly(visit.reader, [one["id"] for one in visit.orgs if visit.org in (None, one["id"])]):
        counts[row["name"]] = counts.get(row["name"], 0) + (row["rows"] or 0)
    values = {"counts": counts, "present": other_tables(visit.reader), "campaigns": mirrored(visit.reader)}
    return Shown("data.html", visit.say("data.title"), values)


PAGE = Page(f"/{DATABASE}", all_data, section="data")
