"""Our pages, one module each: what it reads, and how that becomes what its template shows."""

from promptsync.browse.page import Page
from promptsync.browse.pages import costs, delivery, freshness, home, people, person

PAGES: tuple[Page, ...] = (
    *home.PAGES,
    *person.PAGES,
    *people.PAGES,
    *delivery.PAGES,
    *costs.PAGES,
    *freshness.PAGES,
)
"""Every page, in the order in which addresses are tried."""

READABLE = frozenset(page.name for page in PAGES if page.name)
"""What may follow ``/-/`` for everyone who may read; the pages ask for more where they need it."""
