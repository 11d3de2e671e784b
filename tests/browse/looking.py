"""Reading a page as people do: its links, its words, its lists; and the plans of what it asks."""

import csv
import io
import re
import sqlite3
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from browse_sample import ask

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
    assert text.startswith("\ufeff") and "_" not in text.partition("\r\n")[0]
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def plans(database: Path, statements: list[tuple[str, dict[str, object]]]) -> Iterator[tuple[str, list[str]]]:
    """Each statement with the lines of its plan."""
    connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
    try:
        for sql, values in statements:
            yield sql, [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    finally:
        connection.close()
