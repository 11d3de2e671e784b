"""Reading a page as people do: its links, its words, its lists; and the plans of what it asks."""

import csv
import io
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from browse_sample import ask

from promptsync.browse.queries.reader import Reader
from promptsync.browse.serve import MirrorDatasette


async def page(site: MirrorDatasette, path: str, user: str = "sam") -> str:
    """A page that must be there."""
    answer = await ask(site, path, user)
    assert answer.status_code == 200, (path, answer.status_code, words(answer.text)[:300])
    return answer.text


def words(html: str) -> str:
    """What is to be read, in one line."""
    plain = " ".join(unescape(re.sub(r"(?s)<title.*?</title>|<[^>]+>", " ", html)).split())
    return re.sub(r" ([,.:;])", r"\1", plain)


def links(html: str) -> list[str]:
    """Where links lead, in order."""
    return [unescape(found) for found in re.findall(r'<a [^>]*?href="([^"]+)"', html)]


def asks(link: str) -> dict[str, str]:
    """The query of a link."""
    return {name: values[-1] for name, values in parse_qs(urlsplit(link).query).items()}


async def sheet(site: MirrorDatasette, path: str, user: str = "sam") -> list[dict[str, str]]:
    """A CSV's lines, its form checked: byte order mark, CRLF, plain headings."""
    answer = await ask(site, path, user)
    assert answer.status_code == 200, path
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    text = answer.content.decode("utf-8")
    assert text.startswith("\ufeff") and "_" not in text.partition("\r\n")[0].replace("Los_Angeles", "")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


class Planning(Reader):
    """A reader that keeps the plan of everything it is asked, by statement: the lines of EXPLAIN QUERY PLAN."""

    def __init__(self, database: Path) -> None:
        self.plans: dict[str, list[str]] = {}
        self._reading = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
        super().__init__(_Explaining(self._reading, self.plans))  # type: ignore[arg-type]

    def close(self) -> None:
        self._reading.close()

    def scans(self) -> dict[str, list[str]]:
        """The statements that read all of something, a list or a bounded part apart."""
        found = {sql: [line for line in plan if _SCAN.match(line)] for sql, plan in self.plans.items()}
        return {sql: lines for sql, lines in found.items() if lines}


_SCAN = re.compile(r"SCAN (?!k$|\(subquery|CONSTANT ROW|\w+ VIRTUAL TABLE)")
"""All of something is read, but for a list of ours, or what a search has found."""


class _Explaining:
    def __init__(self, connection: sqlite3.Connection, plans: dict[str, list[str]]) -> None:
        self._connection, self._plans = connection, plans

    def execute(self, sql: str, values: dict[str, object]) -> sqlite3.Cursor:
        self._plans[sql] = [row[3] for row in self._connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
        return self._connection.execute(sql, values)


@contextmanager
def planning(database: Path) -> Iterator[Planning]:
    """A ``Planning`` reader of a mirror."""
    reader = Planning(database)
    yield reader
    reader.close()
