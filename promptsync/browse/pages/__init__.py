"""Our pages, one module each: what it reads, and how that becomes what its template shows."""

from promptsync.browse.page import Page
from promptsync.browse.pages import (
    broadcast,
    broadcasts,
    campaigns,
    costs,
    delivery,
    freshness,
    help,
    home,
    messages,
    opt_outs,
    people,
    person,
    search,
    team,
)

PAGES: tuple[Page, ...] = (
    *home.PAGES,
    *person.PAGES,
    *people.PAGES,
    *opt_outs.PAGES,
    *delivery.PAGES,
    *costs.PAGES,
    *freshness.PAGES,
    *messages.PAGES,
    *broadcasts.PAGES,
    *broadcast.PAGES,
    *campaigns.PAGES,
    *search.PAGES,
    *team.PAGES,
    *help.PAGES,
)
"""Every page, in the order in which addresses are tried."""

READABLE = frozenset(page.name for page in PAGES if page.name)
"""What may follow ``/-/`` for everyone who may read; the pages ask for more where they need it."""
