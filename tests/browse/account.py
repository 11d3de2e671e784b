"""A small account, loaded through the real loader: two nights of files, and what was posted since.

Everything is made from a seed and kept as plain rows, so that a page's numbers can be counted again without SQL.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from promptsync.browse.serve import MirrorDatasette
from promptsync.config import Config
from promptsync.model import Kind
from promptsync.testing import Kit

NOW = datetime(2026, 11, 27, 20, 30, tzinfo=UTC)  # 12:30 in Los Angeles
ZONE = ZoneInfo("America/Los_Angeles")
LIVE = "2026-11-27T20:10:00.000Z"
PEOPLE, DAYS = 60, 20
MEMBERS = 3  # of the team, 1 to 3
FIRST, LAST = ("Ana", "Bo", "Cleo", "Dan"), ("Lima", "Peña", "Okafor")
Row = dict[str, Any]


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Account:
    """One organisation's rows as its files say them, by table."""

    org: int
    seed: int
    first: int  # of the ids
    tables: dict[str, list[Row]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._next = self.first
        for name in ("contact", "contact_data", "contact_tag", "opt_out", "opt_in", "broadcast", "message"):
            self.tables[name] = []
        self._people()
        self._broadcasts()
        self._talk()
        self._opt_outs()

    def add(self, table: str, **row: Any) -> Row:
        self._next += 1
        made = {"id": self._next, "org_id": self.org, **row}
        self.tables[table].append(made)
        return made

    def _people(self) -> None:
        for number in range(PEOPLE):
            person = self.add(
                "contact",
                display_name=" ".join((self._random.choice(FIRST), LAST[number % len(LAST)])),
                phone=f"+1415555{self.org % 10}{number:03d}",
                is_opted_out=0,
                created_timestamp=iso(NOW - timedelta(days=90 - number)),
                updated_timestamp=iso(NOW - timedelta(days=80)),
            )
            for tag in ("Volunteer", "Spanish"):
                if self._random.random() < 0.4:
                    gone = iso(NOW - timedelta(days=5)) if self._random.random() < 0.2 else None
                    at = iso(NOW - timedelta(days=40))
                    self.add(
                        "contact_tag", contact_id=person["id"], name=tag, created_timestamp=at, deleted_timestamp=gone
                    )
            self.add("contact_data", managed=0, contact_id=person["id"], key="pickup_site", value="St. Brendan's")

    def _broadcasts(self) -> None:
        for day in range(DAYS, 0, -4):
            start = NOW - timedelta(days=day, hours=3)
            cast = self.add(
                "broadcast",
                description=f"Drive {DAYS - day}",
                created_timestamp=iso(start - timedelta(hours=1)),
                start_timestamp=iso(start),
                finish_timestamp=iso(start + timedelta(minutes=14)),
                num_skipped=1,
                num_canceled=0,
                is_p2p=0,
                contact_list_ids="",
            )
            outcomes = [self._cast_message(cast, person, start) for person in self.tables["contact"][::2]]
            replied = sum(outcome == "replied" for outcome in outcomes)
            cast.update(
                num_contacts=len(outcomes) + 1,
                num_sent=sum(outcome != "failed" for outcome in outcomes),
                num_errors=outcomes.count("failed"),
                num_responded=replied // 2,
                num_replied_to_reply=replied - replied // 2,
                num_opt_outs=0,
            )

    def _cast_message(self, cast: Row, person: Row, start: datetime) -> str:
        outcome = self._random.choices(("silent", "replied", "failed"), (6, 3, 1))[0]
        at = start + timedelta(seconds=self._random.randrange(800))
        failed = outcome == "failed"
        why = {"error_code": "30005", "error_message": "Unknown destination handset"} if failed else {}
        self.message(person, at, "Can you help on Saturday?", 1, cast, is_successful=int(not failed), **why)
        if outcome == "replied":
            self.message(person, at + timedelta(minutes=self._random.randrange(600)), "Yes, I can", 0, cast)
        return outcome

    def _talk(self) -> None:
        for _ in range(400):
            person = self._random.choice(self.tables["contact"])
            at = NOW - timedelta(minutes=self._random.randrange(60, DAYS * 24 * 60))
            way = self._random.randrange(2)
            text = self._random.choice(("Where is it?", "See you at the gate", "Gracias"))
            by = self._next % (MEMBERS + 1) or None if way else None
            self.message(person, at, text, way, team_member_id=by)
            if self._random.random() < 0.05:
                self.message(person, at + timedelta(minutes=1), "remember to call", 1, is_whisper=1)

    def message(self, person: Row, at: datetime, text: str, outgoing: int, cast: Row | None = None, **more: Any) -> Row:
        return self.add(
            "message",
            contact_id=person["id"],
            created_timestamp=iso(at),
            content=text,
            is_outgoing=outgoing,
            contact_phone=person["phone"],
            broadcast_id=cast["id"] if cast else None,
            is_broadcast=int(bool(cast and outgoing)),
            segments=1,
            **{"is_successful": 1, "is_whisper": 0, "is_mms": 0, "is_billable": 1, **more},
        )

    def _opt_outs(self) -> None:
        for place, person in enumerate(self.tables["contact"][::9]):
            at = iso(NOW - timedelta(days=1 + 2 * place, hours=6))  # within three days of a broadcast
            how = ("CONTACT", "MANAGED")[place % 2]
            self.add("opt_out", contact_id=person["id"], created_timestamp=at, type=how, org_phone="+14155550100")
            person.update(is_opted_out=1, opt_out_timestamp=at)


class LocalKit(Kit):
    """A mirror whose days are those of the organisation's zone."""

    @property
    def config(self) -> Config:
        return Config.read({"mirror": {"timezone": ZONE.key}}, self.folder)


def load(kit: Kit, *accounts: Account) -> None:
    """The nightly files of last night, of every organisation."""
    at = "2026-11-27T08:00:00Z"
    orgs = [{"id": one.org, "name": f"Harbor Street {one.org}", "subdomain": f"h{one.org}"} for one in accounts]
    kit.load("org", orgs, as_of=at)
    for account in accounts:
        for table, rows in account.tables.items():
            yes_no = {c.name for c in kit.engine.mirror.schema[table].columns if c.kind is Kind.BOOLEAN}
            told = [{k: bool(v) if k in yes_no and v is not None else v for k, v in row.items()} for row in rows]
            assert kit.load(table, told, org=account.org, as_of=at).state == "merged", table


def opened(folder: Path, *accounts: Account) -> Iterator[Kit]:
    """A mirror with these accounts, its daemon running as far as a page can see."""
    kit = LocalKit(folder)
    load(kit, *accounts)
    yield kit
    kit.restart()


@dataclass(frozen=True)
class Lived:
    """A mirror of one account or of two, the rows that it was made from, and sites over it."""

    kit: Kit
    accounts: tuple[Account, ...]
    site: MirrorDatasette

    @property
    def account(self) -> Account:
        return self.accounts[0]
